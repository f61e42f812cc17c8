(* Averages of play with small regret, Hedge, and the minimax theorem.

   Rounds are numbered from 0; x t and y t are the strategies of round t.

   average n x          == the average of x 0, .., x (n - 1)
   row_regret A x y n x' == what the row player would have gained in n rounds by playing x' throughout
   column_regret A x y n y' == the same for the column player
   regret_eps_nash      == regrets of at most n e1 and n e2 against every strategy: the averages are an
                           (e1 + e2)-Nash pair
   regret_value         == and their payoff is within e1 + e2 of the value of the game
   hoeffding            == sum_i p_i exp (eta g_i) <= exp (eta sum_i p_i g_i + eta^2 r^2 / 8) for a
                           distribution p and g_i in [lo, lo + r]
   total g n            == g 0 + .. + g (n - 1)
   hedge eta s          == the distribution proportional to exp (eta s_i)
   plays_hedge eta g x  == in round t, x is hedge of the total of the gains g of the rounds before
   hedge_regret         == against any gains in [lo, lo + r], Hedge on m pure strategies has in n rounds
                           a regret of at most ln m / eta + eta n r^2 / 8
   hedge_rate m r n     == sqrt (8 ln m / n) / r, the rate that makes this n r sqrt (ln m / (2 n))
   gains A y t i        == what the row player's pure strategy i gets against y t
   turned A             == the game as the column player sees it, - A transposed
   both_play_hedge A a b x y == both players use Hedge on what they see, at rates a and b
   hedge_totals a b t   == the totals of both players' gains when they do: such rounds exist
   hedge_eps_nash       == then the averages are an e-Nash pair, e the sum of both bounds over n
   hedge_eps_nash_best  == at the two best rates, in an m x k game with payoffs in [lo, lo + r]:
                           e = r sqrt (ln m / (2 n)) + r sqrt (ln k / (2 n))
   minimax              == every matrix game has a value (von Neumann)                                      *)
From Coq Require Import Reals Lra.
From Coquelicot Require Import Coquelicot.
From mathcomp Require Import ssreflect ssrfun ssrbool eqtype ssrnat seq choice fintype bigop.
From Nashguard Require Import Sums Logs Matrix.
Open Scope R_scope.

(* Regret *)

Definition average (T : finType) (n : nat) (x : nat -> T -> R) (i : T) : R :=
  (\rsum_(t : 'I_n) x t i) / INR n.
Arguments average {T} n x i.

Lemma average_strategy (T : finType) n (x : nat -> T -> R) :
  (0 < n)%N -> (forall t, strategy (x t)) -> strategy (average n x).
Proof.
move=> n0 Sx. have n0R : 0 < INR n by apply/lt_0_INR/ltP.
split=> [i|].
  apply: Rmult_le_pos; last by left; apply: Rinv_0_lt_compat.
  by apply: rsum_ge0 => t; case: (Sx t).
rewrite rsum_scalr rsum_swap (rsum_ext _ _ (fun=> 1)); last by move=> t; case: (Sx t).
by rewrite rsum_const card_ord; field; lra.
Qed.

Lemma sum_average (T : finType) n (x : nat -> T -> R) (f : T -> R) :
  \rsum_(i : T) (average n x i * f i) = (\rsum_(t : 'I_n) \rsum_(i : T) (x t i * f i)) / INR n.
Proof.
rewrite /Rdiv -rsum_scalr (rsum_ext _ _ (fun t : 'I_n => \rsum_(i : T) (x t i * f i * / INR n))).
  rewrite rsum_swap; apply: rsum_ext => i.
  by rewrite /average /Rdiv -!rsum_scalr; apply: rsum_ext => t; ring.
by move=> t; rewrite rsum_scalr.
Qed.

Section Regret.
Variables I J : finType.
Variable A : I -> J -> R.
Variables (x : nat -> I -> R) (y : nat -> J -> R) (n : nat).

Definition row_regret x' := \rsum_(t : 'I_n) (payoff A x' (y t) - payoff A (x t) (y t)).
Definition column_regret y' := \rsum_(t : 'I_n) (payoff A (x t) (y t) - payoff A (x t) y').

Hypothesis n_gt0 : (0 < n)%N.
Hypothesis x_strategy : forall t, strategy (x t).
Hypothesis y_strategy : forall t, strategy (y t).
Variables e1 e2 : R.
Hypothesis row_small : forall x', strategy x' -> row_regret x' <= INR n * e1.
Hypothesis column_small : forall y', strategy y' -> column_regret y' <= INR n * e2.

(* The gap of the averages is the average of the regrets: what was played cancels. *)
Theorem regret_eps_nash : eps_nash A (average n x) (average n y) (e1 + e2).
Proof.
have n0 : 0 < INR n by apply/lt_0_INR/ltP.
split; try exact: average_strategy. move=> x' y' Sx Sy.
pose gained := \rsum_(t : 'I_n) payoff A x' (y t); pose played := \rsum_(t : 'I_n) payoff A (x t) (y t).
pose paid := \rsum_(t : 'I_n) payoff A (x t) y'.
have -> : payoff A x' (average n y) = gained / INR n.
  rewrite payoff_by_columns sum_average; congr (_ / _).
  by apply: rsum_ext => t; rewrite payoff_by_columns.
have -> : payoff A (average n x) y' = paid / INR n.
  by rewrite payoff_by_rows sum_average; congr (_ / _); apply: rsum_ext => t; rewrite payoff_by_rows.
have h1 : gained - played <= INR n * e1 by rewrite -rsum_sub; exact: row_small.
have h2 : played - paid <= INR n * e2 by rewrite -rsum_sub; exact: column_small.
have h : (gained - paid) / INR n <= e1 + e2.
  by apply: (Rmult_le_reg_l (INR n)) => //; field_simplify; lra.
by move: h; rewrite /Rdiv Rmult_minus_distr_r; lra.
Qed.

Corollary regret_value v : is_value A v -> Rabs (payoff A (average n x) (average n y) - v) <= e1 + e2.
Proof. exact/eps_nash_value/regret_eps_nash. Qed.
End Regret.
Arguments row_regret {I J} A x y n x'.
Arguments column_regret {I J} A x y n y'.

(* Hoeffding's lemma *)

Lemma nondecreasing f df : (forall u, derivable_pt_lim f u (df u)) -> (forall u, 0 <= u -> 0 <= df u) ->
  forall u, 0 <= u -> f 0 <= f u.
Proof.
move=> Hf Hdf u [u0|<-]; last lra.
have [c [E [c0 _]]] := MVT_cor2 f df 0 u u0 (fun c _ => Hf c).
have := Rmult_le_pos _ _ (Hdf c (Rlt_le _ _ c0)) (Rlt_le _ _ u0). lra.
Qed.

(* The logarithm of the mean of exp over a distribution on {0, u}: its second derivative is a
   variance on an interval of length 1, at most 1/4. *)
Lemma hoeffding_two s u : 0 <= s <= 1 -> 0 <= u -> 1 - s + s * exp u <= exp (s * u + u ^ 2 / 8).
Proof.
move=> s01 u0. pose w u := 1 - s + s * exp u.
have w0 v : 0 < w v.
  have := exp_pos v; rewrite /w. case: (Req_dec s 0) => [->|ne]; first lra.
  by move=> h; have := Rmult_lt_0_compat s (exp v) ltac:(lra) h; lra.
rewrite -/(w u) -[w u]exp_ln //. apply: exp_le.
pose f v := s * v + v ^ 2 / 8 - ln (w v).
pose f' v := s + v / 4 - s * exp v / w v.
pose f'' v := 1 / 4 - (1 - s) * (s * exp v) / (w v * w v).
have Hf v : derivable_pt_lim f v (f' v).
  apply/is_derive_Reals; rewrite /f /f' /w; auto_derive; [have := w0 v; rewrite /w; lra|].
  by have := w0 v; rewrite /w => ?; field; lra.
have Hf' v : derivable_pt_lim f' v (f'' v).
  apply/is_derive_Reals; rewrite /f' /f'' /w; auto_derive; [have := w0 v; rewrite /w; lra|].
  by have := w0 v; rewrite /w => ?; field; lra.
have f''0 v : 0 <= f'' v.
  have -> : f'' v = (1 - s - s * exp v) ^ 2 / (4 * (w v * w v)).
    by rewrite /f''; have := w0 v; rewrite /w => ?; field; lra.
  apply: Rmult_le_pos; first exact: pow2_ge_0.
  by left; apply: Rinv_0_lt_compat; have := Rmult_lt_0_compat _ _ (w0 v) (w0 v); lra.
have e0 : w 0 = 1 by rewrite /w exp_0; ring.
have f'0 v : 0 <= v -> 0 <= f' v.
  by move=> /(nondecreasing f' f'' Hf' (fun v _ => f''0 v)); rewrite {1}/f' e0 exp_0; lra.
have := nondecreasing f f' Hf f'0 u u0. rewrite {1}/f e0 ln_1 /f. lra.
Qed.

(* exp lies below its chords, above its tangents. *)
Lemma exp_chord a b s : 0 <= s <= 1 -> exp ((1 - s) * a + s * b) <= (1 - s) * exp a + s * exp b.
Proof.
move=> s01. set m := (1 - s) * a + s * b.
have tangent v : exp m * (1 + (v - m)) <= exp v.
  rewrite {2}(_ : v = m + (v - m)); last by ring.
  by rewrite exp_plus; apply: Rmult_le_compat_l (exp_ineq1_le _); left; apply: exp_pos.
have h1 := Rmult_le_compat_l (1 - s) _ _ ltac:(lra) (tangent a).
have h2 := Rmult_le_compat_l s _ _ ltac:(lra) (tangent b).
have E : exp m = (1 - s) * (exp m * (1 + (a - m))) + s * (exp m * (1 + (b - m))).
  by rewrite /m; ring.
lra.
Qed.

Lemma hoeffding (T : finType) (p g : T -> R) lo r eta :
  strategy p -> 0 < r -> 0 <= eta -> (forall i, lo <= g i <= lo + r) ->
  \rsum_(i : T) (p i * exp (eta * g i)) <= exp (eta * (\rsum_(i : T) (p i * g i)) + eta ^ 2 * r ^ 2 / 8).
Proof.
move=> Sp r0 eta0 Hg. have [p0 p1] := Sp. set mean := \rsum_(i : T) (p i * g i).
pose s := (mean - lo) / r.
have Hs : 0 <= s <= 1.
  have h1 : lo <= mean by apply: average_ge Sp _ => i; case: (Hg i).
  have h2 : mean <= lo + r by apply: average_le Sp _ => i; case: (Hg i).
  by split; apply: (Rmult_le_reg_r r) => //; rewrite /s; field_simplify; lra.
(* Each exponential lies below the chord over [lo, lo + r]; the chord at the mean is a mean of two. *)
have chord i : exp (eta * g i) <=
    exp (eta * lo) * (1 - exp (eta * r)) * - ((g i - lo) / r) + exp (eta * lo).
  have s01 : 0 <= (g i - lo) / r <= 1.
    by have := Hg i; split; apply: (Rmult_le_reg_r r) => //; field_simplify; lra.
  rewrite (_ : eta * g i = (1 - (g i - lo) / r) * (eta * lo) + (g i - lo) / r * (eta * (lo + r)));
    last by field; lra.
  apply: Rle_trans (exp_chord _ _ _ s01) _. apply: Req_le.
  by rewrite (_ : eta * (lo + r) = eta * lo + eta * r) ?exp_plus; ring.
apply: Rle_trans (_ : _ <= exp (eta * lo) * (1 - s + s * exp (eta * r))) _.
  rewrite (_ : exp (eta * lo) * _ = \rsum_(i : T) (p i * (exp (eta * lo) * (1 - exp (eta * r)) * -
    ((g i - lo) / r) + exp (eta * lo)))).
    by apply: rsum_le => i; apply: Rmult_le_compat_l.
  set k := exp (eta * lo) * (1 - exp (eta * r)).
  rewrite (rsum_ext _ _ (fun i => p i * g i * (- k / r) + p i * (k * lo / r + exp (eta * lo)))).
    by rewrite rsum_add !rsum_scalr p1 -/mean /k /s; field; lra.
  by move=> i; field; lra.
have er0 : 0 <= eta * r by apply: Rmult_le_pos; lra.
have := Rmult_le_compat_l _ _ _ (Rlt_le _ _ (exp_pos (eta * lo))) (hoeffding_two _ _ Hs er0).
rewrite -exp_plus.
suff <- : eta * lo + (s * (eta * r) + (eta * r) ^ 2 / 8) = eta * mean + eta ^ 2 * r ^ 2 / 8 by [].
by rewrite /s; field; lra.
Qed.

(* Hedge *)

Definition total (T : finType) (g : nat -> T -> R) (n : nat) (i : T) : R := \rsum_(t : 'I_n) g t i.
Arguments total {T} g n i.

Definition hedge (T : finType) (eta : R) (s : T -> R) (i : T) : R :=
  exp (eta * s i) / \rsum_(k : T) exp (eta * s k).
Arguments hedge {T} eta s i.

Definition plays_hedge (T : finType) (eta : R) (g x : nat -> T -> R) : Prop :=
  forall t i, x t i = hedge eta (total g t) i.
Arguments plays_hedge {T} eta g x.

Section Hedge.
Variable T : finType.
Hypothesis T_gt0 : (0 < #|T|)%N.
Implicit Types (eta : R) (s : T -> R).

Lemma weights_gt0 eta s : 0 < \rsum_(k : T) exp (eta * s k).
Proof.
have [k _] := card_gt0P T_gt0.
by apply: (rsum_gt0 _ _ k) => [j|]; [left|]; apply: exp_pos.
Qed.

Lemma hedge_plays_strategy eta (g x : nat -> T -> R) : plays_hedge eta g x -> forall t, strategy (x t).
Proof.
move=> Hx t. have w0 := weights_gt0 eta (total g t). split=> [i|].
  by rewrite Hx; apply: Rmult_le_pos; left; [apply: exp_pos|apply: Rinv_0_lt_compat].
by rewrite (rsum_ext _ _ _ (Hx t)) /hedge /Rdiv rsum_scalr; field; lra.
Qed.

Lemma total_S (g : nat -> T -> R) n i : total g n.+1 i = total g n i + g n i.
Proof. by rewrite /total big_ord_recr. Qed.

(* The sum of the weights grows in each round by at most what Hedge gains in it, by Hoeffding's
   lemma, and it is at least the weight of i. *)
Theorem hedge_regret (g x : nat -> T -> R) lo r eta n i :
  0 < r -> 0 < eta -> (forall t k, lo <= g t k <= lo + r) -> plays_hedge eta g x ->
  total g n i - \rsum_(t : 'I_n) \rsum_(k : T) (x t k * g t k)
  <= ln (INR #|T|) / eta + eta * INR n * r ^ 2 / 8.
Proof.
move=> r0 eta0 Hg Hx. have m0 : 0 < INR #|T| by apply/lt_0_INR/ltP.
pose gain t := \rsum_(k : T) (x t k * g t k).
pose bound n := ln (INR #|T|) + eta * (\rsum_(t : 'I_n) gain t) + INR n * (eta ^ 2 * r ^ 2 / 8).
have growth : \rsum_(k : T) exp (eta * total g n k) <= exp (bound n).
  elim: n => [|n IH].
    have -> : bound 0%N = ln (INR #|T|) by rewrite /bound big_ord0 [INR 0]/=; ring.
    rewrite exp_ln // -[X in _ <= X]Rmult_1_r -rsum_const. apply: rsum_le => k.
    by rewrite /total big_ord0 Rmult_0_r exp_0; lra.
  have w0 := weights_gt0 eta (total g n).
  rewrite (rsum_ext _ _ (fun k => (\rsum_(k : T) exp (eta * total g n k)) * (x n k * exp (eta * g n k))));
    last by move=> k; rewrite total_S Rmult_plus_distr_l exp_plus Hx /hedge; field; lra.
  rewrite rsum_scal.
  have H := hoeffding _ _ _ lo r eta (hedge_plays_strategy _ _ _ Hx n) r0 (Rlt_le _ _ eta0) (Hg n).
  apply: Rle_trans (Rmult_le_compat _ _ _ _ (Rlt_le _ _ w0) _ IH H) _.
    apply: rsum_ge0 => k; apply: Rmult_le_pos; last by left; apply: exp_pos.
    by case: (hedge_plays_strategy _ _ _ Hx n).
  rewrite -exp_plus; apply: Req_le; congr exp.
  by rewrite /bound big_ord_recr S_INR /= /gain; ring.
have own : exp (eta * total g n i) <= exp (bound n).
  apply: Rle_trans growth. apply: (rsum_single_le _ (fun k => exp (eta * total g n k))) => k.
  by left; apply: exp_pos.
have {own} := ln_le _ _ (exp_pos _) own; rewrite !ln_exp /bound => own.
rewrite -/(\rsum_(t : 'I_n) gain t). apply: (Rmult_le_reg_l eta) => //.
rewrite (_ : eta * (ln _ / eta + _) = ln (INR #|T|) + INR n * (eta ^ 2 * r ^ 2 / 8)); last by field; lra.
by rewrite Rmult_minus_distr_l; lra.
Qed.
End Hedge.

(* The bound at the best rate: with q = sqrt (l / (2 n)) the rate is 4 q / r, and both terms are n q r / 2. *)
Definition hedge_rate (m : nat) (r : R) (n : nat) : R := sqrt (8 * ln (INR m) / INR n) / r.

Lemma hedge_rate_bound m r n (l := ln (INR m)) (eta := hedge_rate m r n) :
  (1 < m)%N -> (0 < n)%N -> 0 < r ->
  0 < eta /\ l / eta + eta * INR n * r ^ 2 / 8 = INR n * (r * sqrt (l / (2 * INR n))).
Proof.
move=> m1 n0 r0. have n0R : 0 < INR n by apply/lt_0_INR/ltP.
have l0 : 0 < l by rewrite /l -ln_1; apply: ln_increasing; [lra|apply: lt_1_INR; apply/ltP].
set q := sqrt (l / (2 * INR n)).
have q0 : 0 < q by apply: sqrt_lt_R0; apply: Rdiv_lt_0_compat; lra.
have q2 : l = 2 * INR n * (q * q).
  by rewrite sqrt_sqrt; [field; lra|left; apply: Rdiv_lt_0_compat; lra].
have -> : eta = 4 * q / r.
  rewrite /eta /hedge_rate -/l {1}q2 (_ : _ / INR n = (4 * q) * (4 * q)); last by field; lra.
  by rewrite sqrt_square //; lra.
by split; [apply: Rdiv_lt_0_compat; lra|rewrite q2; field; lra].
Qed.

(* What each pure strategy would gain, round by round, against the rounds y. *)
Definition gains (I J : finType) (A : I -> J -> R) (y : nat -> J -> R) (t : nat) (i : I) : R :=
  \rsum_(j : J) (A i j * y t j).
Arguments gains {I J} A y t i.

(* The game as the column player sees it. *)
Definition turned (I J : finType) (A : I -> J -> R) (j : J) (i : I) : R := - A i j.
Arguments turned {I J} A j i.

Lemma payoff_turned (I J : finType) (A : I -> J -> R) x y : payoff (turned A) y x = - payoff A x y.
Proof.
rewrite payoff_by_rows payoff_by_columns -[RHS]Rmult_1_r -Ropp_mult_distr_l Ropp_mult_distr_r.
rewrite -rsum_scalr. apply: rsum_ext => j. rewrite Rmult_assoc -rsum_scalr. congr (_ * _).
by apply: rsum_ext => i; rewrite /turned; ring.
Qed.

Lemma hedge_row_regret (I J : finType) (A : I -> J -> R) lo r a x y n x' :
  (0 < #|I|)%N -> 0 < r -> (forall i j, lo <= A i j <= lo + r) -> 0 < a ->
  plays_hedge a (gains A y) x -> (forall t, strategy (y t)) -> strategy x' ->
  row_regret A x y n x' <= ln (INR #|I|) / a + a * INR n * r ^ 2 / 8.
Proof.
move=> I0 r0 HA a0 Hx Sy Sx'.
have Hg t i : lo <= gains A y t i <= lo + r.
  rewrite /gains (rsum_ext _ _ (fun j => y t j * A i j)); last by move=> j; ring.
  by split; [apply: average_ge|apply: average_le] => // j; case: (HA i j).
have regret i := hedge_regret _ I0 _ _ lo r a n i r0 a0 Hg Hx.
rewrite /row_regret rsum_sub.
rewrite (rsum_ext _ _ (fun t : 'I_n => \rsum_(i : I) (x' i * gains A y t i))); last first.
  by move=> t; rewrite payoff_by_rows.
rewrite rsum_swap (rsum_ext _ _ (fun i => x' i * total (gains A y) n i)); last first.
  by move=> i; rewrite rsum_scal.
rewrite [X in _ - X](rsum_ext _ _ (fun t : 'I_n => \rsum_(i : I) (x t i * gains A y t i))); last first.
  by move=> t; rewrite payoff_by_rows.
set played := \rsum_(t : 'I_n) _ in regret *; set bound := _ / a + _ in regret *.
suff : \rsum_(i : I) (x' i * total (gains A y) n i) <= bound + played by lra.
by apply: average_le => // i; have := regret i; lra.
Qed.

Section Play.
Variables I J : finType.
Hypothesis I_gt0 : (0 < #|I|)%N.
Hypothesis J_gt0 : (0 < #|J|)%N.
Variable A : I -> J -> R.
Variables lo r : R.
Hypothesis r_gt0 : 0 < r.
Hypothesis A_range : forall i j, lo <= A i j <= lo + r.

Definition both_play_hedge (a b : R) (x : nat -> I -> R) (y : nat -> J -> R) : Prop :=
  plays_hedge a (gains A y) x /\ plays_hedge b (gains (turned A) x) y.

Theorem hedge_eps_nash a b x y n : (0 < n)%N -> 0 < a -> 0 < b -> both_play_hedge a b x y ->
  eps_nash A (average n x) (average n y)
    ((ln (INR #|I|) / a + a * INR n * r ^ 2 / 8) / INR n + (ln (INR #|J|) / b + b * INR n * r ^ 2 / 8) / INR n).
Proof.
move=> n0 a0 b0 [Hx Hy]. have n0R : 0 < INR n by apply/lt_0_INR/ltP.
have Sx := hedge_plays_strategy _ I_gt0 _ _ _ Hx; have Sy := hedge_plays_strategy _ J_gt0 _ _ _ Hy.
have cancel u : INR n * (u / INR n) = u by field; lra.
apply: regret_eps_nash => // [x'|y'] S; rewrite cancel; first exact: hedge_row_regret S.
rewrite (_ : column_regret A x y n y' = row_regret (turned A) y x n y').
  apply: (hedge_row_regret _ _ _ (- (lo + r))) => // j i.
  by rewrite /turned; have := A_range i j; lra.
by apply: rsum_ext => t; rewrite !payoff_turned; ring.
Qed.

Corollary hedge_eps_nash_best x y n : (1 < #|I|)%N -> (1 < #|J|)%N -> (0 < n)%N ->
  both_play_hedge (hedge_rate #|I| r n) (hedge_rate #|J| r n) x y ->
  eps_nash A (average n x) (average n y)
    (r * sqrt (ln (INR #|I|) / (2 * INR n)) + r * sqrt (ln (INR #|J|) / (2 * INR n))).
Proof.
move=> I1 J1 n0 H. have n0R : 0 < INR n by apply/lt_0_INR/ltP.
have [[a0 Ea] [b0 Eb]] := (hedge_rate_bound _ r n I1 n0 r_gt0, hedge_rate_bound _ r n J1 n0 r_gt0).
have := hedge_eps_nash _ _ _ _ _ n0 a0 b0 H. rewrite Ea Eb.
by rewrite !(_ : forall u, INR n * u / INR n = u); [|move=> u; field; lra..].
Qed.

(* The minimax theorem *)

(* Such rounds exist: they are computed one after the other, from the totals so far. *)
Fixpoint hedge_totals (a b : R) (t : nat) : (I -> R) * (J -> R) :=
  if t is t'.+1 then
    let s := hedge_totals a b t' in
    (fun i => s.1 i + gains A (fun=> hedge b s.2) t' i,
     fun j => s.2 j + gains (turned A) (fun=> hedge a s.1) t' j)
  else (fun=> 0, fun=> 0).

Lemma hedge_exists a b : exists x y, both_play_hedge a b x y.
Proof.
exists (fun t => hedge a (hedge_totals a b t).1), (fun t => hedge b (hedge_totals a b t).2).
have ext (T : finType) eta (s s' : T -> R) i : (forall k, s k = s' k) -> hedge eta s i = hedge eta s' i.
  by move=> E; rewrite /hedge E; congr (_ / _); apply: rsum_ext => k; rewrite E.
split=> t i; apply: ext => {i} k; elim: t => [|t IH]; rewrite ?total_S -?IH //.
  by rewrite /total big_ord0.
by rewrite /total big_ord0.
Qed.

Lemma eps_nash_exists e : 0 < e -> exists x y, eps_nash A x y e.
Proof.
move=> e0. set L := ln (INR #|I|) + ln (INR #|J|). pose a := 2 * e / r ^ 2.
have r2 : 0 < r ^ 2 by apply: pow_lt.
have a0 : 0 < a by apply: Rdiv_lt_0_compat; lra.
have [n [_ Hn]] := nfloor_ex _ (Rabs_pos (2 * L / (a * e))).
have [x [y H]] := hedge_exists a a.
exists (average n.+1 x), (average n.+1 y).
have [Sx Sy le] := hedge_eps_nash _ _ _ _ n.+1 isT a0 a0 H.
split=> // x' y' Sx' Sy'. apply: Rle_trans (le x' y' Sx' Sy') _.
have n0 : 0 < INR n.+1 by apply/lt_0_INR/ltP.
have n1 : 2 * L / (a * e) <= INR n.+1.
  by have := Rle_abs (2 * L / (a * e)); rewrite S_INR; lra.
have h : L / a / INR n.+1 <= e / 2.
  apply: (Rmult_le_reg_r (INR n.+1)) => //.
  rewrite (_ : L / a / INR n.+1 * INR n.+1 = 2 * L / (a * e) * (e / 2)); last by field; lra.
  by rewrite Rmult_comm; apply: Rmult_le_compat_l; lra.
apply: Rle_trans (_ : _ <= L / a / INR n.+1 + a * r ^ 2 / 4) _.
  by apply: Req_le; rewrite /L; field; lra.
have -> : a * r ^ 2 / 4 = e / 2 by rewrite /a; field; lra.
lra.
Qed.
End Play.
Arguments both_play_hedge {I J} A a b x y.

Theorem minimax (I J : finType) (A : I -> J -> R) : (0 < #|I|)%N -> (0 < #|J|)%N -> exists v, is_value A v.
Proof.
move=> I0 J0.
(* The payoffs lie in an interval. *)
pose b := 1 + \rsum_(i : I) \rsum_(j : J) Rabs (A i j).
have abs i j : Rabs (A i j) < b.
  have h1 := rsum_single_le _ (fun j => Rabs (A i j)) j (fun j => Rabs_pos _).
  have h2 := rsum_single_le _ (fun i => \rsum_(j : J) Rabs (A i j)) i
    (fun i => rsum_ge0 _ _ (fun j => Rabs_pos _)).
  by rewrite /b; lra.
have range i j : - b <= A i j <= - b + 2 * b by have /Rabs_def2 := abs i j; lra.
have [i0 _] := card_gt0P I0; have [j0 _] := card_gt0P J0.
have b0 : 0 < 2 * b by have := abs i0 j0; have := Rabs_pos (A i0 j0); lra.
have pairs e (e0 : 0 < e) := eps_nash_exists _ _ I0 J0 A _ _ b0 range e e0.
have [x0 [y0 Hxy]] := pairs 1 ltac:(lra).
have [Gx0 Cy0] := eps_nash_bounds _ _ _ _ _ _ Hxy.
have [v [up least]] : {v | is_lub (fun w => exists x, guarantees A x w) v}.
  apply: completeness; last by exists (payoff A x0 y0 - 1), x0.
  by exists (payoff A x0 y0 + 1) => w [x Gx]; apply: guarantees_le_concedes Gx Cy0.
exists v => e e0. have [x [y Hx]] := pairs (e / 2) ltac:(lra).
have [Gx Cy] := eps_nash_bounds _ _ _ _ _ _ Hx.
have h1 : payoff A x y - e / 2 <= v by apply: up; exists x.
have h2 : v <= payoff A x y + e / 2.
  by apply: least => w [x' Gx']; apply: guarantees_le_concedes Gx' Cy.
split; [exists x|exists y].
  by case: Gx => Sx H; split=> // y' Sy'; have := H _ Sy'; lra.
by case: Cy => Sy H; split=> // x' Sx'; have := H _ Sx'; lra.
Qed.
