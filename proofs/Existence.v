(* The equilibrium exists and the damped iteration finds it (Theorem 1, existence; Theorem A, limits): every beta > 0.

   replies Q f         == f p is a best reply to p in the class Q, for every interior p
   trajectory tau f p  == the generators p, step tau p (f p), ... of the alternating dynamics with replies f
   run_exists          == it is a run; run_exists_full, run_exists_clipped: so there is one from every interior start
   nash_exists         == a class with replies has an equilibrium, if beta > 0
   nash_exists_full, nash_exists_clipped == so the full and the clipped class have one, for any number of labels
   run_converges       == tau >= 1: p_n tends to the equilibrium everywhere, and q_n on live pairs
   hellinger           == (a - b)^2 <= 4 (a ln (a / b) - a + b) for a and b in (0, 1]
   divergence_square   == rho_i (p_i(z) - u_i(z))^2 <= 4 D(p, u): pointwise distance from the divergence
   spread              == sum_i rho_i sum_z ln (1 / r_i(z)) over the support, a bound on every D(u, ref)
   midpoint p u        == (p + u) / 2; payoff_midpoint: how much more it earns than p and u on average

   How existence is proved, without compactness: run tau = 1 from the reference. Theorem A's inequality holds against
   every generator u, so G(u) - G(p_n) <= K / n for all u at once. G is strongly concave, so near-maximisers are near
   each other, and (p_n) is a Cauchy sequence. D(ref, p_n) stays bounded, so the limit ps is interior. By continuity ps
   maximises G, and one more step from it cannot move: that makes it a best reply to its own best reply.            *)
From mathcomp Require Import ssreflect ssrfun ssrbool eqtype ssrnat seq choice fintype bigop.
From Coq Require Import Reals Lra Psatz.
From Nashguard Require Import Sums Logs Game Replies Smooth Damped Undamped Posterior Equilibrium.
Open Scope R_scope.

(* Limits of finite sums, from the standard library's Un_cv. *)
Lemma cv_ext (u v : nat -> R) l : (forall n, u n = v n) -> Un_cv u l -> Un_cv v l.
Proof. move=> E C e He. have [N H] := C e He. exists N => n Hn. rewrite -E. exact: H. Qed.

Lemma cv_const c : Un_cv (fun _ => c) c.
Proof. move=> e He. exists 0%nat => n _. rewrite /R_dist Rminus_diag_eq // Rabs_R0. lra. Qed.

Lemma cv_scal c (u : nat -> R) l : Un_cv u l -> Un_cv (fun n => c * u n) (c * l).
Proof. exact: CV_mult (cv_const c). Qed.

Lemma cv_sum (T : finType) (u : nat -> T -> R) (l : T -> R) : (forall i, Un_cv (u ^~ i) (l i)) ->
  Un_cv (fun n => \rsum_(i : T) u n i) (\rsum_(i : T) l i).
Proof.
move=> H. elim: (index_enum T) => [|i s IH].
- apply: (cv_ext (fun _ => 0)) => [n|]; rewrite big_nil //; exact: cv_const.
- rewrite big_cons. apply: (cv_ext (fun n => u n i + \big[Rplus/0]_(i <- s) u n i)) => [n|]; first by rewrite big_cons.
  exact: CV_plus.
Qed.

Lemma cv_ln (u : nat -> R) l : 0 < l -> Un_cv u l -> Un_cv (fun n => ln (u n)) (ln l).
Proof.
move=> Hl. apply: continuity_seq. apply: derivable_continuous_pt. exists (/ l). exact: derivable_pt_lim_ln.
Qed.

Lemma cv_ge c (u : nat -> R) l : (forall n, c <= u n) -> Un_cv u l -> c <= l.
Proof. move=> H. exact: Rle_cv_lim (cv_const c). Qed.

(* A sequence whose squared distance to l is at most a null sequence tends to l. *)
Lemma cv_square (u d : nat -> R) l : (forall n, (u n - l) ^ 2 <= d n) -> Un_cv d 0 -> Un_cv u l.
Proof.
move=> H C e He. have [N HN] := C (e * e) ltac:(nra). exists N => n Hn. have := HN n Hn. rewrite /R_dist Rminus_0_r.
have := H n. have := Rle_abs (d n) => A B D. rewrite -(Rabs_pos_eq e); last lra. apply: Rsqr_lt_abs_0. rewrite /Rsqr.
lra.
Qed.

Lemma hellinger a b : 0 < a <= 1 -> 0 < b <= 1 -> (a - b) ^ 2 <= 4 * (a * ln (a / b) - (a - b)).
Proof.
move=> Ha Hb. have A := sqrt_lt_R0 a (proj1 Ha). have B := sqrt_lt_R0 b (proj1 Hb).
have Ea := sqrt_sqrt a ltac:(lra). have Eb := sqrt_sqrt b ltac:(lra).
have A1 : sqrt a <= 1 by rewrite -sqrt_1; apply: sqrt_le_1_alt; lra.
have B1 : sqrt b <= 1 by rewrite -sqrt_1; apply: sqrt_le_1_alt; lra.
move: (sqrt a) (sqrt b) A B Ea Eb A1 B1 => s t S T <- <- S1 T1.
have -> : s * s / (t * t) = / ((t / s) * (t / s)) by field; lra.
have P : 0 < t / s by exact: Rdiv_lt_0_compat. rewrite ln_Rinv; last exact: Rmult_lt_0_compat. rewrite ln_mult //.
have := Rmult_le_compat_l (s * s) _ _ ltac:(nra) (ln_le_sub1 _ P).
have -> : s * s * (t / s - 1) = s * t - s * s by field; lra.
have -> : (s * s - t * t) ^ 2 = (s - t) ^ 2 * (s + t) ^ 2 by ring.
have : (s + t) ^ 2 <= 2 ^ 2 by apply: pow_incr; lra. move=> /(Rmult_le_compat_l ((s - t) ^ 2) _ _ (pow2_ge_0 _)). lra.
Qed.

Section Distances.
Context {g : game}.
Implicit Types (p u : generator g).

Lemma generator_le1 p i z : is_generator p -> p i z <= 1.
Proof. move=> [A [_ B]]. rewrite -(B i). exact: (rsum_single_le _ (p i)). Qed.

Lemma divergence_term p u i z : is_generator p -> interior u ->
  rho i * (p i z * ln (p i z / u i z) - (p i z - u i z)) <= divergence p u.
Proof.
move=> Hp [Hu Pu]. set f := fun i z => p i z * ln (p i z / u i z) - (p i z - u i z).
have f0 j t : 0 <= f j t.
{ rewrite /f. case: (generator_support p j t Hp) => [->|[A B]]; first by have := proj1 Hu j t; lra.
  have := gibbs_le (p j t) (u j t) (Rlt_le _ _ A) (Pu j t B). lra. }
have -> : divergence p u = avg f by rewrite /f !avg_sub (avg_generator p) // (avg_generator u) // /divergence; ring.
have S j : 0 <= rho j * \rsum_(t : text g) f j t by apply: Rmult_le_pos; [left; exact: rho_pos|exact: rsum_ge0].
apply: Rle_trans (rsum_single_le _ _ i S). apply: Rmult_le_compat_l; first by left; exact: rho_pos.
exact: (rsum_single_le _ (f i)).
Qed.

Lemma divergence_square p u i z : interior p -> interior u -> rho i * (p i z - u i z) ^ 2 <= 4 * divergence p u.
Proof.
move=> Ip Iu. have T := divergence_term p u i z (proj1 Ip) Iu. have R := @rho_pos g i.
case: (ref_ge0 i z) => [H|H].
- have := hellinger (p i z) (u i z) (conj (proj2 Ip i z H) (generator_le1 p i z (proj1 Ip)))
    (conj (proj2 Iu i z H) (generator_le1 u i z (proj1 Iu))).
  move=> /(Rmult_le_compat_l (rho i) _ _ (Rlt_le _ _ R)). lra.
- have D := divergence_ge0 p u (proj1 Ip) Iu.
  have -> : p i z = 0 by apply: (proj1 (proj2 (proj1 Ip))). have -> : u i z = 0 by apply: (proj1 (proj2 (proj1 Iu))).
  lra.
Qed.

Definition spread := avg (fun i z => - ln (@ref g i z)).

Lemma divergence_ref p : is_generator p -> divergence p ref <= spread.
Proof.
move=> Hp. apply: avg_le => i z.
have R : 0 <= - ln (ref i z).
{ case: (ref_ge0 i z) => [H|<-].
  - have := ln_le _ _ H (generator_le1 ref i z (proj1 reference_interior)). rewrite ln_1; lra.
  - rewrite /ln. case: Rlt_dec => [/Rlt_irrefl|_] //. lra. }
case: (generator_support p i z Hp) => [->|[A B]]; first lra. rewrite ln_div //. have P1 := generator_le1 p i z Hp.
have := ln_le _ _ A P1. rewrite ln_1. nra.
Qed.

Definition midpoint p u : generator g := fun i z => (p i z + u i z) / 2.

Lemma midpoint_interior p u : interior p -> interior u -> interior (midpoint p u).
Proof.
move=> [[A [B C]] P] [[A' [B' C']] P']. rewrite /midpoint. split; first split; [|split|]; move=> i; try move=> z.
- have := A i z; have := A' i z; lra.
- move=> H. rewrite B ?B' //; lra.
- rewrite /Rdiv rsum_scalr rsum_add C C'; lra.
- move=> H. have := P i z H; have := P' i z H; lra.
Qed.

(* The payoff is affine in the generator less beta times an entropy: this is its strong concavity. *)
Lemma payoff_midpoint p u (q : classifier g) : interior p -> interior u ->
  let m := midpoint p u in
  payoff p q + payoff u q = 2 * payoff m q - beta g * (divergence p m + divergence u m).
Proof.
move=> Ip Iu m. rewrite /payoff /loss /divergence.
have L : avg (fun i z => p i z * - ln (q z (lab i))) + avg (fun i z => u i z * - ln (q z (lab i))) =
  2 * avg (fun i z => m i z * - ln (q z (lab i))).
{ rewrite -avg_add -avg_scal. apply: avg_ext => i z. rewrite /m /midpoint; field. }
have D : avg (fun i z => p i z * ln (p i z / ref i z)) + avg (fun i z => u i z * ln (u i z / ref i z)) =
  2 * avg (fun i z => m i z * ln (m i z / ref i z)) +
  (avg (fun i z => p i z * ln (p i z / m i z)) + avg (fun i z => u i z * ln (u i z / m i z))).
{ rewrite -!avg_add -avg_scal -avg_add. apply: avg_ext => i z. case: (ref_ge0 i z) => [H|H].
  - have P := proj2 Ip i z H. have U := proj2 Iu i z H. have M : 0 < m i z := proj2 (midpoint_interior p u Ip Iu) i z H.
    have E : m i z = (p i z + u i z) / 2 by []. move: (m i z) M E => x M E. rewrite !ln_div //. set l := ln x.
    rewrite E; field.
  - rewrite /m /midpoint (proj1 (proj2 (proj1 Ip)) i z (esym H)) (proj1 (proj2 (proj1 Iu)) i z (esym H)). field. }
move: L D. set lp := avg _. set lu := avg _. set lm := avg _. set dp := avg _. set du := avg _. set dm := avg _.
set a := avg _. set b := avg _ => L D. nra.
Qed.

Lemma payoff_cv (p : nat -> generator g) ps (q : classifier g) : interior ps -> (forall n, interior (p n)) ->
  (forall i z, Un_cv (fun n => p n i z) (ps i z)) -> Un_cv (fun n => payoff (p n) q) (payoff ps q).
Proof.
move=> Is I C.
have cv_avg f l : (forall i z, Un_cv (fun n => f n i z) (l i z)) -> Un_cv (fun n => @avg g (f n)) (avg l).
{ move=> H. apply: cv_sum => i. apply: cv_scal. exact: cv_sum. }
apply: CV_minus; last apply: cv_scal.
- apply: CV_plus; last exact: cv_const. apply: cv_avg => i z. apply: CV_mult; [exact: C|exact: cv_const].
- apply: cv_avg => i z. case: (ref_ge0 i z) => H.
  + apply: CV_mult; first exact: C. apply: cv_ln; first by apply: Rdiv_lt_0_compat => //; exact: (proj2 Is).
    apply: CV_mult; [exact: C|exact: cv_const].
  + have Z u : interior u -> u i z = 0 by move=> [[_ [B _]] _]; exact: B.
    apply: (cv_ext (fun _ => 0)) => [n|]; rewrite Z ?Rmult_0_l //; exact: cv_const.
Qed.
End Distances.

Section Existence.
Context {g : game}.
Implicit Types (Q : class g) (p u ps : generator g) (q c qs : classifier g) (f : generator g -> classifier g).

Definition replies Q f := forall p, interior p -> reply Q p (f p).

Fixpoint trajectory tau f p n : generator g :=
  if n is m.+1 then step tau (trajectory tau f p m) (f (trajectory tau f p m)) else p.

Lemma trajectory_interior tau f p n : interior p -> interior (trajectory tau f p n).
Proof. case: n => [|n] // _. exact: step_interior. Qed.

Theorem run_exists Q f tau p : replies Q f -> interior p ->
  run Q tau (trajectory tau f p) (fun n => f (trajectory tau f p n)).
Proof. move=> H Ip. split=> // n. split=> //. apply: H. exact: trajectory_interior. Qed.

(* A maximiser of G that is interior is an equilibrium: a step with tau = 1 would do better unless it stays put. *)
Lemma maximiser_nash Q f ps : replies Q f -> interior ps ->
  (forall u, interior u -> payoff u (f u) <= payoff ps (f ps)) -> nash Q ps (f ps).
Proof.
move=> Hf Is M. have B := beta_ge0 g. have R := Hf ps Is. set p1 := step 1 ps (f ps).
have I1 : interior p1 by exact: step_interior.
have S := balance_any Q 1 ps (f ps) (Rle_refl 1) Is R ps (f p1) (proj1 Is) (proj1 (Hf p1 I1)).
rewrite -/p1 divergence_self in S; last exact: (proj1 Is).
have D := divergence_ge0 ps p1 (proj1 Is) I1. have E := divergence_eq0 ps p1 (proj1 Is) I1.
have {}E : forall i z, ps i z = p1 i z by apply: E; have := M p1 I1; nra.
split; first exact: (proj1 Is). split=> // u Hu.
have := step_maximal 1 ps (f ps) u ltac:(lra) Is (member_admissible Q _ (proj1 R)) Hu. rewrite -/p1.
rewrite -(payoff_ext _ _ _ E) -(divergence_ext _ _ ps ps E (fun _ _ => erefl)).
rewrite -(divergence_ext u u _ _ (fun _ _ => erefl) E).
rewrite divergence_self; last exact: (proj1 Is). have := divergence_ge0 u ps Hu Is. nra.
Qed.

Section Limit.
Variables (Q : class g) (f : generator g -> classifier g).
Hypotheses (beta_pos : 0 < beta g) (Hf : replies Q f).
Let p n := trajectory 1 f ref n.+1.
Let G u := payoff u (f u).

Let Ip n : interior (p n).
Proof. apply: trajectory_interior. exact: reference_interior. Qed.

Let HR : run Q 1 (trajectory 1 f ref) (fun n => f (trajectory 1 f ref n)).
Proof. exact: run_exists Hf reference_interior. Qed.

Lemma geometric_le n : INR n <= geometric (@growth g 1) n.
Proof.
elim: n => [|n IH]; first by rewrite /=; lra. rewrite S_INR.
have : 1 <= @growth g 1 ^ n by apply: pow_R1_Rle; apply: growth_1; lra. rewrite /geometric -/geometric. lra.
Qed.

Lemma nearly_optimal u n : interior u -> G u - G (p n) <= @spread g * / (INR n + 1).
Proof.
move=> Iu. have N : 0 < INR n.+1 by exact: lt_0_INR (Nat.lt_0_succ n).
have V := value_bound Q 1 _ _ (Rle_refl 1) HR n.+1 u (proj1 Iu). have D := divergence_ref u (proj1 Iu).
have A := proj2 (Hf u Iu) _ (average_member Q 1 _ _ (Rle_refl 1) HR n.+1). have L := geometric_le n.+1.
have K : 0 <= @spread g by have := divergence_ge0 u ref (proj1 Iu) reference_interior; lra.
rewrite -S_INR. apply: (Rmult_le_reg_l (INR n.+1)) => //.
have -> : INR n.+1 * (@spread g * / INR n.+1) = @spread g by field; lra.
rewrite Rmult_1_l in V. rewrite /G. move: V A. rewrite -/(p n).
move: (payoff (p n) _) (payoff u (average_reply _ _ _)) => v a V A.
move: (payoff u (f u)) A => b A. move: (geometric _ n.+1) (INR n.+1) N V L => s k N V L.
have D' : divergence u (trajectory 1 f ref 0) <= @spread g by [].
move: (divergence u (trajectory 1 f ref 0)) D' V => d D' V.
case: (Rle_dec b v) => Hb; first by have := Rmult_le_compat_l k (b - v) 0 ltac:(lra) ltac:(lra); lra.
have := Rmult_le_compat_r (b - v) _ _ ltac:(lra) L.
have := Rmult_le_compat_l s (b - v) (a - v) ltac:(lra) ltac:(lra). lra.
Qed.

Lemma value_bounded : exists B, forall u, interior u -> G u <= B.
Proof. exists (G (p 0%nat) + @spread g * / (INR 0 + 1)) => u Iu. have := nearly_optimal u 0 Iu. lra. Qed.

(* The same inequality at u = ref keeps D(ref, p_n) bounded, so that no text dies out. *)
Lemma divergence_bounded : exists B, forall n, divergence ref (p n) <= B.
Proof.
have [B H] := value_bounded. have Ir := @reference_interior g. exists ((B - G ref) / beta g) => n. rewrite /p.
have C : 0 <= (B - G ref) / beta g by apply: Rmult_le_pos; [have := H ref Ir; lra|left; exact: Rinv_0_lt_compat].
have E : beta g * ((B - G ref) / beta g) = B - G ref by field; lra. move: ((B - G ref) / beta g) C E => c C E.
elim: n.+1 => [|m IH]; first by rewrite divergence_self //; exact: (proj1 Ir).
have Im := trajectory_interior 1 f ref m.+1 Ir. set x := trajectory 1 f ref m.+1 in Im *.
have S := balance Q 1 _ _ (Rle_refl 1) HR ref (f x) m (proj1 Ir) (proj1 (Hf x Im)). rewrite -/x in S.
have R := proj2 (Hf ref Ir) _ (proj1 (run_reply _ _ _ _ HR m)). have V := H x Im. rewrite /G in R V E. nra.
Qed.

Lemma support_floor (i : seed g) z : 0 < ref i z -> exists c : R, 0 < c /\ forall n, c <= p n i z.
Proof.
move=> H. have [B HB] := divergence_bounded. have R := @rho_pos g i. set r := ref i z in H *.
exists (r * exp (- ((B / rho i + r) / r))). split; first by apply: Rmult_lt_0_compat => //; exact: exp_pos.
move=> n. have P := proj2 (Ip n) i z H. have T := divergence_term ref (p n) i z (proj1 reference_interior) (Ip n).
rewrite -/r ln_div // in T. have {}T : r * (ln r - ln (p n i z)) <= B / rho i + r.
{ apply: (Rmult_le_reg_l (rho i)) => //. have -> : rho i * (B / rho i + r) = B + rho i * r by field; lra.
  have := HB n. have := Rmult_lt_0_compat _ _ R P. lra. }
rewrite -{1}(exp_ln r) // -exp_plus -[X in _ <= X]exp_ln //.
have L : ln r + - ((B / rho i + r) / r) <= ln (p n i z).
{ apply: (Rmult_le_reg_l r) => //. have -> : r * (ln r + - ((B / rho i + r) / r)) = r * ln r - (B / rho i + r)
    by field; lra.
  lra. }
case: L => [L|->]; [left; exact: exp_increasing|by right].
Qed.

Lemma near n m i z : rho i * (beta g * (p n i z - p m i z) ^ 2) <= 16 * @spread g * (/ (INR n + 1) + / (INR m + 1)).
Proof.
set x := midpoint (p n) (p m). have Ix : interior x by exact: midpoint_interior.
have E := payoff_midpoint (p n) (p m) (f x) (Ip n) (Ip m). rewrite -/x /= in E.
have A := proj2 (Hf _ (Ip n)) _ (proj1 (Hf x Ix)). have B := proj2 (Hf _ (Ip m)) _ (proj1 (Hf x Ix)).
have C := nearly_optimal x n Ix. have D := nearly_optimal x m Ix. have S := divergence_square (p n) x i z (Ip n) Ix.
have P := divergence_ge0 (p m) x (proj1 (Ip m)) Ix. rewrite /G in C D.
have -> : p n i z - p m i z = 2 * (p n i z - x i z) by rewrite /x /midpoint; field.
move: (divergence (p n) x) (divergence (p m) x) E S P => d d' E S P. nra.
Qed.

Lemma cauchy (i : seed g) z : Cauchy_crit (fun n => p n i z).
Proof.
move=> e He. have R := @rho_pos g i. have Ir := @reference_interior g.
have K : 0 <= @spread g by have := divergence_ref ref (proj1 Ir); rewrite divergence_self //; exact: (proj1 Ir).
have X : 0 < rho i * (beta g * e ^ 2) by apply: Rmult_lt_0_compat => //; apply: Rmult_lt_0_compat => //; nra.
have Y : 0 < rho i * (beta g * e ^ 2) / (32 * (@spread g + 1)) by apply: Rdiv_lt_0_compat => //; lra.
have [N HN] := @RinvN_cv _ Y. exists N => n m Hn Hm. have T := near n m i z. move: (HN n Hn) (HN m Hm).
rewrite /R_dist /RinvN !Rminus_0_r /= => /(Rle_lt_trans _ _ _ (Rle_abs _)) U /(Rle_lt_trans _ _ _ (Rle_abs _)) V.
have W : / (INR n + 1) + / (INR m + 1) <= 2 * (rho i * (beta g * e ^ 2) / (32 * (@spread g + 1))) by lra.
have Z : 16 * @spread g * (2 * (rho i * (beta g * e ^ 2) / (32 * (@spread g + 1)))) < rho i * (beta g * e ^ 2).
{ have -> : 16 * @spread g * (2 * (rho i * (beta g * e ^ 2) / (32 * (@spread g + 1)))) =
    rho i * (beta g * e ^ 2) - rho i * (beta g * e ^ 2) / (@spread g + 1) by field; lra.
  have := Rdiv_lt_0_compat _ (@spread g + 1) X ltac:(lra). lra. }
have {}T : (p n i z - p m i z) ^ 2 < e ^ 2.
{ apply: (Rmult_lt_reg_l (rho i * beta g)); first exact: Rmult_lt_0_compat.
  have := Rmult_le_compat_l (16 * @spread g) _ _ ltac:(lra) W. lra. }
rewrite /R_dist -(Rabs_pos_eq e); last lra. apply: Rsqr_lt_abs_0. rewrite /Rsqr. lra.
Qed.

Let ps : generator g := fun i z => proj1_sig (R_complete _ (cauchy i z)).

Let C i z : Un_cv (fun n => p n i z) (ps i z).
Proof. exact: proj2_sig (R_complete _ (cauchy i z)). Qed.

Lemma limit_interior : interior ps.
Proof.
split; first split; [|split|].
- move=> i z. apply: (cv_ge 0 _ _ _ (C i z)) => n. exact: (proj1 (proj1 (Ip n))).
- move=> i z H. apply: (UL_sequence _ _ _ (C i z)). apply: (cv_ext (fun _ => 0)) => [n|]; last exact: cv_const.
  by rewrite (proj1 (proj2 (proj1 (Ip n)))).
- move=> i. apply: (UL_sequence (fun n => \rsum_(z : text g) p n i z)); first exact: cv_sum.
  apply: (cv_ext (fun _ => 1)) => [n|]; last exact: cv_const. by rewrite (proj2 (proj2 (proj1 (Ip n)))).
- move=> i z H. have [c [c0 L]] := support_floor i z H. have := cv_ge c _ _ L (C i z). lra.
Qed.

Lemma limit_nash : nash Q ps (f ps).
Proof.
have Is := limit_interior. apply: (maximiser_nash Q f ps Hf Is) => u Iu.
have P := payoff_cv p ps (f ps) Is Ip C. apply: (cv_ge _ (fun n => payoff (p n) (f ps) + @spread g * / (INR n + 1))).
- move=> n. have := nearly_optimal u n Iu. have := proj2 (Hf _ (Ip n)) _ (proj1 (Hf ps Is)). rewrite /G; lra.
- rewrite -[payoff ps (f ps)]Rplus_0_r. apply: CV_plus => //. rewrite -(Rmult_0_r (@spread g)).
  apply: cv_scal. exact: RinvN_cv.
Qed.
End Limit.

Theorem nash_exists Q f : 0 < beta g -> replies Q f -> exists p q, nash Q p q.
Proof. move=> B H. have N := limit_nash Q f B H. by eexists; eexists; exact: N. Qed.

(* Theorem A in the limit: p_n by Hellinger's bound on D(ps, p_n), q_n because q_n is nearly a best reply to ps. *)
Theorem run_converges Q tau (p : nat -> generator g) (q : nat -> classifier g) ps qs :
  1 <= tau -> 0 < beta g -> run Q tau p q -> nash Q ps qs ->
  (forall i z, Un_cv (fun n => p n i z) (ps i z)) /\ forall y z, live y z -> Un_cv (fun n => q n z y) (qs z y).
Proof.
move=> T B HR N. have Is := nash_interior B Q ps qs N. have I := run_interior Q tau p q HR.
have L := damped_linear Q tau p q T HR ps qs B N. set D0 := divergence ps (p 0%nat) in L.
set r := tau / (tau + beta g) in L.
have R : Un_cv (fun n => r ^ n) 0.
{ move=> e He. have r0 : 0 < r by apply: Rdiv_lt_0_compat; lra.
  have r1 : r * (tau + beta g) = tau by rewrite /r; field; lra.
  have {}r1 : r < 1 by nra.
  have [m Hm] := pow_lt_1_zero r ltac:(rewrite Rabs_pos_eq; lra) e He. exists m => n Hn. rewrite /R_dist Rminus_0_r.
  exact: Hm. }
have null a : Un_cv (fun n => a * D0 * r ^ n) 0 by rewrite -(Rmult_0_r (a * D0)); exact: cv_scal.
split=> [i z|y z H].
- apply: cv_square (null (4 / rho i)) => n. have R0 := @rho_pos g i. have := divergence_square ps (p n) i z Is (I n).
  have := L n. move: (divergence _ _) => d Hd S. apply: (Rmult_le_reg_l (rho i)) => //.
  have -> : rho i * (4 / rho i * D0 * r ^ n) = 4 * (r ^ n * D0) by field; lra. nra.
- have M := live_mass ps y z Is H. have HQ := proj1 (proj2 (proj2 N)).
  have P : 0 < qs z y by apply: (proj2 (admissible_live _)) H; exact: member_admissible HQ.
  have Pn n : 0 < q n z y
    by apply: (proj2 (admissible_live _)) H; exact: member_admissible (proj1 (run_reply _ _ _ _ HR n)).
  have X n : 0 < q n z y / qs z y by exact: Rdiv_lt_0_compat.
  have C : Un_cv (fun n => sqrt (q n z y / qs z y)) 1.
  { apply: cv_square (null (/ mass ps y z)) => n. have Rn := run_reply _ _ _ _ HR n.
    have E := reply_excess Q ps qs (q n) y z (proj1 Is) (proj2 (proj2 N)) (proj1 Rn).
    have S := smooth Q (p n) ps (q n) qs (I n) (proj1 Is) Rn HQ. have Ln := L n.
    apply: (Rmult_le_reg_l (mass ps y z)) => //.
    have -> : mass ps y z * (/ mass ps y z * D0 * r ^ n) = r ^ n * D0 by field; lra.
    apply: Rle_trans (Rle_trans _ _ _ E (Rle_trans _ _ _ S Ln)). apply: Rmult_le_compat_l; first lra.
    have Y := sqrt_lt_R0 _ (X n). have F := sqrt_sqrt _ (Rlt_le _ _ (X n)). move: Y F.
    move: (sqrt _) => s Y <-. rewrite ln_mult //. have := ln_le_sub1 s Y. lra. }
  apply: (cv_ext (fun n => qs z y * (sqrt (q n z y / qs z y) * sqrt (q n z y / qs z y)))) => [n|].
  + rewrite sqrt_sqrt; [by field; lra|left; exact: X].
  + have := cv_scal (qs z y) _ _ (CV_mult _ _ _ _ C C). by rewrite !Rmult_1_r.
Qed.
End Existence.

Section Classes.
Variable g : game.

Lemma full_replies : replies (full g) posterior.
Proof. exact: posterior_reply. Qed.

Lemma clipped_replies gamma (H : 0 < gamma) (L : INR #|label g| * gamma <= 1) :
  replies (clipped g gamma H) (clipped_posterior gamma H L).
Proof. exact: clipped_reply. Qed.

Theorem nash_exists_full : 0 < beta g -> exists p q, nash (full g) p q.
Proof. move=> B. exact: nash_exists B full_replies. Qed.

Theorem nash_exists_clipped gamma (H : 0 < gamma) : 0 < beta g -> INR #|label g| * gamma <= 1 ->
  exists p q, nash (clipped g gamma H) p q.
Proof. move=> B L. exact: nash_exists B (clipped_replies gamma H L). Qed.

Theorem run_exists_full tau p : interior p -> exists ps qs, run (full g) tau ps qs /\ ps 0%nat = p.
Proof. move=> I. eexists; eexists; split; [exact: run_exists full_replies I|by []]. Qed.

Theorem run_exists_clipped gamma (H : 0 < gamma) tau p : INR #|label g| * gamma <= 1 -> interior p ->
  exists ps qs, run (clipped g gamma H) tau ps qs /\ ps 0%nat = p.
Proof. move=> L I. eexists; eexists; split; [exact: run_exists (clipped_replies gamma H L) I|by []]. Qed.
End Classes.

