(* The contraction theorem of arXiv 2502.05163 with its constants (Theorem 4.2P): simultaneous best replies contract
   at a temperature that is far above what convergence needs.

   setting               == the paper's data: inputs X, texts Z, two labels, weights rho(x,y) > 0 with sum 1, reference
                            r(z|x,y) (zeros allowed), temperature beta > 0, floor 0 < gamma <= 1/2
   paper_game            == the game with a seed for every pair (x, y) and no real texts; a coercion
   distance, dist        == ||f - h||, the sum of |f - h| over both arguments; of a pair, the sum of the two
   class_Q               == Q: the conditional distributions with q(y|z) >= gamma (two labels: in [gamma, 1 - gamma])
   domain_D, in_DQ       == D: the generators with p >= gamma^(1/beta) r; D x Q
   joint, mass           == P(y,z) = sum_x rho(x,y) p(z|x,y); P(z) = sum_y P(y,z)
   clip, posterior       == T_theta p: the entries P(y,z) / P(z) clipped to [gamma, 1 - gamma]
   generator_reply       == T_phi q (Game.v)
   both_reply, two_rounds == T(p, q) = (T_phi q, T_theta p): both players move at once; T^2
   same                  == equal at every argument
   fixed p q             == T(p, q) = (p, q)
   bounds_normalisers s delta == delta > 0 is below every normaliser sum_z r q^(-1/beta), q in Q
   bounds_masses s alpha == alpha > 0 is below P(z) for every text z and every p in D
   factor s delta alpha  == c(beta) = 4 / (beta delta alpha gamma^(1 + 1/beta)), the paper's constant
   sharp_factor s alpha  == c'(beta) = 1 / (alpha beta gamma)
   contracts c           == ||T^2 a - T^2 b|| <= c ||a - b|| on D x Q
   converges c           == T has exactly one fixed point in D x Q, the game has exactly one equilibrium, they are the
                            same pair e, and ||T^(2n) a - e|| <= c^n ||a - e|| from every a in D x Q

   normalisers_above_1   == delta = 1 is allowed
   masses_above          == alpha = gamma^(1/beta) min_z sum_{x,y} rho r is allowed
   reply_domain          == T_phi maps Q into D
   reply_lipschitz       == T_phi has constant 2 |X| / (beta delta gamma^(1 + 1/beta)); reply_lipschitz_columns:
                            max_{y,z} sum_x r(z|x,y) in place of |X|; reply_lipschitz_sharp: |X| / (2 beta gamma)
   posterior_lipschitz   == T_theta has constant 2 / (alpha |X|) on D if rho <= 1/|X|; posterior_lipschitz_max:
                            2 max rho / alpha in general; uniform_inputs: rho <= 1/|X| if x is uniform
   clip_lipschitz        == clipping has constant 1
   posterior_reply       == T_theta p is a best reply to p in Q; posterior_unique: the only one
   nash_fixed            == equilibria are the fixed points
   contraction           == T^2 contracts with c(beta), contraction_sharp: with c'(beta)
   banach                == a contraction of a nonempty closed set has a fixed point
   theorem_4_2           == c(beta) < 1 -> converges c(beta); theorem_4_2_sharp: the same for c'(beta);
                            theorem_4_2_derived: the same with delta = 1 and alpha from masses_above
   alpha_le, delta_le    == alpha <= 1/|Z| and delta gamma^(1/beta) <= 1, whatever the constants
   factor_ge             == c(beta) >= 4 |Z| / (beta gamma) >= 8 |Z| / beta
   temperature_needed    == c(beta) < 1 -> beta > 8 |Z|; temperature_needed_sharp: c'(beta) < 1 -> beta > |Z|/gamma
                            >= 2 |Z|                                                                              *)
From mathcomp Require Import ssreflect ssrfun ssrbool eqtype ssrnat seq choice fintype bigop.
From Coq Require Import Reals Lra.
From Coquelicot Require Import Hierarchy Derive AutoDerive.
From Nashguard Require Import Sums Logs Game Replies.
Open Scope R_scope.

Record setting := Setting {
  input : finType;
  sample : finType;
  rho_xy : input -> bool -> R;
  ref_xy : input -> bool -> sample -> R;
  temperature : R;
  gamma : R;
  rho_xy_pos : forall x y, 0 < rho_xy x y;
  rho_xy_1 : \rsum_(x : input) \rsum_(y : bool) rho_xy x y = 1;
  ref_xy_ge0 : forall x y z, 0 <= ref_xy x y z;
  ref_xy_1 : forall x y, \rsum_(z : sample) ref_xy x y z = 1;
  temperature_pos : 0 < temperature;
  gamma_pos : 0 < gamma;
  gamma_half : gamma <= 1 / 2
}.

Lemma rsum_pair (X Y : finType) (f : X * Y -> R) :
  \rsum_(i : prod_finType X Y) f i = \rsum_(x : X) \rsum_(y : Y) f (x, y).
Proof. by rewrite pair_big; apply: eq_bigr => -[]. Qed.

Definition paper_game (s : setting) : game.
Proof.
refine (@Game (prod_finType (input s) bool_finType) bool_finType (sample s) snd
  (fun i => rho_xy s i.1 i.2) (fun i => ref_xy s i.1 i.2) (temperature s) (fun _ _ => 0) _ _ _ _ _ _).
- move=> i; exact: rho_xy_pos.
- rewrite rsum_pair; exact: rho_xy_1.
- move=> i z; exact: ref_xy_ge0.
- move=> i; exact: ref_xy_1.
- left; exact: temperature_pos.
- move=> *; exact: Rle_refl.
Defined.
Coercion paper_game : setting >-> game.

Definition distance {S T : finType} (f h : S -> T -> R) := \rsum_(i : S) \rsum_(z : T) Rabs (f i z - h i z).

Definition clip (gam v : R) := Rmax gam (Rmin (1 - gam) v).

Section Setting.
Context {s : setting}.
Implicit Types (p : generator s) (q : classifier s) (a b : generator s * classifier s).

Definition class_Q : class s := clipped s (gamma s) (gamma_pos s).

Definition domain_D p := is_generator p /\ forall i z, Rpower (gamma s) (/ beta s) * ref i z <= p i z.

Definition in_DQ a := domain_D a.1 /\ class_Q a.2.

Definition dist a b := distance a.1 b.1 + distance a.2 b.2.

Definition joint p z y := \rsum_(x : input s) (rho_xy s x y * p (x, y) z).

Definition mass p z := \rsum_(y : bool) joint p z y.

Definition posterior p : classifier s := fun z y => clip (gamma s) (joint p z y / mass p z).

Definition both_reply a := (generator_reply a.2, posterior a.1).

Definition two_rounds a := both_reply (both_reply a).

Definition same a b := (forall i z, a.1 i z = b.1 i z) /\ (forall z y, a.2 z y = b.2 z y).

Definition fixed p q := (forall i z, p i z = generator_reply q i z) /\ (forall z y, q z y = posterior p z y).
End Setting.

Section Constants.
Variable s : setting.

Definition bounds_normalisers (delta : R) :=
  0 < delta /\ forall (q : classifier s) i, class_Q q -> delta <= normaliser 0 ref q i.

Definition bounds_masses (alpha : R) :=
  0 < alpha /\ forall (p : generator s) z, domain_D p -> alpha <= mass p z.

Definition factor delta alpha := 4 / (beta s * delta * alpha * Rpower (gamma s) (1 + / beta s)).

Definition sharp_factor alpha := 1 / (alpha * beta s * gamma s).

Definition contracts c := forall a b : generator s * classifier s,
  in_DQ a -> in_DQ b -> dist (two_rounds a) (two_rounds b) <= c * dist a b.

Definition converges c := exists (p : generator s) (q : classifier s), nash class_Q p q /\ fixed p q /\
  (forall p' q', nash class_Q p' q' -> same (p', q') (p, q)) /\
  (forall p' q', class_Q q' -> fixed p' q' -> same (p', q') (p, q)) /\
  (forall a n, in_DQ a -> dist (ssrnat.iter n two_rounds a) (p, q) <= c ^ n * dist a (p, q)).
End Constants.

(* Three inequalities of analysis: powers, logarithms and logits. *)
Section Analysis.
Lemma exp_le u v : u <= v -> exp u <= exp v.
Proof. case=> [H|->]; [left; exact: exp_increasing|exact: Rle_refl]. Qed.

Lemma ln_lipschitz c u v : 0 < c -> c <= u -> c <= v -> Rabs (ln u - ln v) <= / c * Rabs (u - v).
Proof.
move=> Hc Hu Hv. have Ic := Rinv_0_lt_compat _ Hc.
suff W : forall a b, c <= a -> a <= b -> ln b - ln a <= / c * (b - a) /\ 0 <= ln b - ln a.
{ case: (Rle_dec u v) => H.
  - have [] := W u v Hu H. rewrite Rabs_minus_sym (Rabs_minus_sym u) => A B. rewrite !Rabs_pos_eq; lra.
  - have [] := W v u Hv ltac:(lra) => A B. rewrite !Rabs_pos_eq; lra. }
move=> a b Ha Hb. have Pa : 0 < a by lra. have Pb : 0 < b by lra. split; last by have := ln_le a b Pa Hb; lra.
have := ln_le_sub1 (b / a) (Rdiv_lt_0_compat _ _ Pb Pa). rewrite ln_div // => H. apply: Rle_trans H _.
have -> : b / a - 1 = / a * (b - a) by field; lra.
apply: Rmult_le_compat_r; first lra. exact: Rinv_le_contravar.
Qed.

(* The mean value theorem for u^(-k), in the form e^x >= 1 + x. *)
Lemma power_lipschitz c k u v : 0 < c -> 0 < k -> c <= u -> c <= v ->
  Rabs (Rpower u (- k) - Rpower v (- k)) <= k / Rpower c (1 + k) * Rabs (u - v).
Proof.
move=> Hc Hk Hu Hv.
have E : k / Rpower c (1 + k) = Rpower c (- k) * (k * / c).
{ rewrite Rpower_plus Rpower_1 // Rpower_Ropp. have := exp_pos (k * ln c); rewrite -/(Rpower c k) => P. field; lra. }
suff W : forall a b, c <= a -> a <= b -> 0 <= Rpower a (- k) - Rpower b (- k) <= k / Rpower c (1 + k) * (b - a).
{ case: (Rle_dec u v) => H.
  - have := W u v Hu H. rewrite (Rabs_minus_sym u) => B. rewrite !Rabs_pos_eq; lra.
  - have := W v u Hv ltac:(lra). rewrite Rabs_minus_sym => B. rewrite !Rabs_pos_eq; lra. }
move=> a b Ha Hb. have Pa : 0 < a by lra. have Pb : 0 < b by lra. have L := ln_le a b Pa Hb.
have M : k * ln a <= k * ln b by apply: Rmult_le_compat_l; lra. split.
{ have := exp_le (- k * ln b) (- k * ln a) ltac:(lra). rewrite /Rpower; lra. }
have -> : Rpower a (- k) - Rpower b (- k) = Rpower a (- k) * (1 - exp (- k * (ln b - ln a))).
{ rewrite /Rpower Rmult_minus_distr_l Rmult_1_r -exp_plus. congr (_ - exp _); ring. }
rewrite E Rmult_assoc. apply: Rmult_le_compat.
- left; exact: exp_pos.
- have := exp_le (- k * (ln b - ln a)) 0. rewrite exp_0 => X. have := X ltac:(lra); lra.
- apply: exp_le. have := ln_le c a Hc Ha => N. have := Rmult_le_compat_l k _ _ (Rlt_le _ _ Hk) N. lra.
- have := ln_lipschitz c b a Hc ltac:(lra) Ha. rewrite !Rabs_pos_eq; try lra. move=> N.
  have := Rmult_le_compat_l k _ _ (Rlt_le _ _ Hk) N. have := exp_ineq1_le (- k * (ln b - ln a)). lra.
Qed.

Lemma logit_steep u v : 0 < u -> u < v -> v < 1 -> 4 * (v - u) <= ln (v * (1 - u)) - ln (u * (1 - v)).
Proof.
move=> Hu Huv Hv. rewrite !ln_mult; try lra.
have D : forall t, u <= t <= v -> derivable_pt_lim (fun t => ln t - ln (1 - t)) t (/ t + / (1 - t)).
{ move=> t Ht. apply/is_derive_Reals. auto_derive; [lra|field; lra]. }
have [t [E Ht]] := MVT_cor2 _ _ u v Huv D.
have P : 4 <= / t + / (1 - t).
{ have -> : / t + / (1 - t) = / (t * (1 - t)) by field; lra.
  have -> : 4 = / (/ 4) by field. have := Rle_0_sqr (t - / 2). rewrite /Rsqr => ?.
  apply: Rinv_le_contravar; [apply: Rmult_lt_0_compat|]; lra. }
have := Rmult_le_compat_r (v - u) _ _ ltac:(lra) P. lra.
Qed.
End Analysis.

(* Normalising and the softmax map are Lipschitz in l1. *)
Section Simplex.
Variable T : finType.
Implicit Types p w : T -> R.

Lemma normalise_lipschitz w w' d : (forall i, 0 <= w' i) -> 0 < d -> d <= \rsum_(i : T) w i ->
  0 < \rsum_(i : T) w' i ->
  \rsum_(i : T) Rabs (w i / (\rsum_(j : T) w j) - w' i / (\rsum_(j : T) w' j)) <=
  2 / d * \rsum_(i : T) Rabs (w i - w' i).
Proof.
move=> H' Hd. set N := \rsum_(j : T) w j; set N' := \rsum_(j : T) w' j => HN HN'.
set D := \rsum_(i : T) Rabs (w i - w' i).
have IN := Rinv_0_lt_compat N ltac:(lra). have IN' := Rinv_0_lt_compat _ HN'.
have D0 : 0 <= D by apply: rsum_ge0 => i; exact: Rabs_pos.
have HD : Rabs (N' - N) <= D by rewrite Rabs_minus_sym /N /N' -rsum_sub; exact: rsum_abs.
apply: (Rle_trans _ (\rsum_(i : T) (Rabs (w i - w' i) * / N + w' i * (/ N' * (Rabs (N' - N) * / N))))).
- apply: rsum_le => i.
  have -> : w i / N - w' i / N' = (w i - w' i) * / N + w' i * (/ N' * ((N' - N) * / N)) by field; lra.
  apply: Rle_trans (Rabs_triang _ _) _.
  rewrite !Rabs_mult (Rabs_pos_eq (/ N)) ?(Rabs_pos_eq (/ N')) ?(Rabs_pos_eq (w' i)) //; lra.
- rewrite rsum_add !rsum_scalr -/D -/N'.
  have -> : N' * (/ N' * (Rabs (N' - N) * / N)) = Rabs (N' - N) * / N by field; lra.
  have J : / N <= / d by exact: Rinv_le_contravar.
  have A := Rmult_le_compat_r (/ N) _ _ (Rlt_le _ _ IN) HD. have B := Rmult_le_compat_l D _ _ D0 J. lra.
Qed.

Lemma rsum_two f i j : (forall k, 0 <= f k) -> i != j -> f i + f j <= \rsum_(k : T) f k.
Proof.
move=> H ij. rewrite (bigD1 i) //= (bigD1 j) //=; last by rewrite eq_sym.
set S := \big[Rplus/0]_(k | _) _. suff : 0 <= S by lra.
rewrite /S; elim/big_ind: _ => [|a b ? ?|k _]; [lra|lra|exact: H].
Qed.

Lemma rsum_mul f h : (\rsum_(i : T) f i) * (\rsum_(j : T) h j) = \rsum_(i : T) \rsum_(j : T) (f i * h j).
Proof. rewrite -rsum_scalr; apply: rsum_ext => i; by rewrite rsum_scal. Qed.

(* If all the odds between two texts move by a factor of at most e^S then so do the odds of every event, and
   a probability is a quarter-Lipschitz function of its log-odds.  The event where p exceeds p' has half the
   distance. *)
Lemma odds_lipschitz p p' S : 0 <= S ->
  (forall i, 0 <= p i) -> (forall i, 0 <= p' i) -> \rsum_(i : T) p i = 1 -> \rsum_(i : T) p' i = 1 ->
  (forall i j, i != j -> p i * p' j <= exp S * (p' i * p j)) ->
  \rsum_(i : T) Rabs (p i - p' i) <= S / 2.
Proof.
move=> HS P P' E E' H. set x := fun i => if Rle_dec (p' i) (p i) then 1 else 0.
have x01 i : x i = 0 \/ x i = 1 by rewrite /x; case: Rle_dec; [right|left].
set a := \rsum_(i : T) (x i * p i). set b := \rsum_(i : T) (x i * p' i).
have Ea : 1 - a = \rsum_(i : T) ((1 - x i) * p i).
{ rewrite -{1}E /a -rsum_sub; apply: rsum_ext => i; ring. }
have Eb : 1 - b = \rsum_(i : T) ((1 - x i) * p' i).
{ rewrite -{1}E' /b -rsum_sub; apply: rsum_ext => i; ring. }
have -> : \rsum_(i : T) Rabs (p i - p' i) = 2 * (a - b).
{ have Z : \rsum_(i : T) (p i - p' i) = 0 by rewrite rsum_sub E E'; ring.
  transitivity (\rsum_(i : T) (2 * (x i * p i - x i * p' i) - (p i - p' i))).
  - apply: rsum_ext => i. rewrite /x; case: Rle_dec => K /=; [rewrite Rabs_pos_eq|rewrite Rabs_left1]; lra.
  - by rewrite rsum_sub Z rsum_scal rsum_sub Rminus_0_r. }
have W : a * (1 - b) <= exp S * (b * (1 - a)).
{ rewrite Ea Eb !rsum_mul -rsum_scal. apply: rsum_le => i. rewrite -rsum_scal. apply: rsum_le => j.
  case: (eqVneq i j) => [<-|ij]; first by case: (x01 i) => ->; lra.
  have := H i j ij. case: (x01 i) => ->; case: (x01 j) => ->; lra. }
have a1 : a <= 1 /\ 0 <= 1 - b.
{ split; last by rewrite Eb; apply: rsum_ge0 => i; case: (x01 i) => ->; have := P' i; lra.
  suff : 0 <= 1 - a by lra. rewrite Ea; apply: rsum_ge0 => i; case: (x01 i) => ->; have := P i; lra. }
have b0 : 0 <= b by apply: rsum_ge0 => i; case: (x01 i) => ->; have := P' i; lra.
case: (Rle_lt_dec a b) => [|N]; first lra.
have {}b0 : 0 < b. { case: b0 => // Z. move: W; rewrite -Z. nra. }
have {}a1 : a < 1. { case: a1 => [[//|Z] ?]. move: W; rewrite Z. nra. }
have := logit_steep b a b0 ltac:(lra) a1.
have B : 0 < b * (1 - a) by apply: Rmult_lt_0_compat; lra.
have := ln_le (a * (1 - b)) _ ltac:(apply: Rmult_lt_0_compat; lra) W.
rewrite (ln_mult (exp S)) ?ln_exp //; [lra|exact: exp_pos].
Qed.
End Simplex.

(* The generator's best reply, seed by seed, in any game. *)
Section Reply.
Context {g : game}.
Variable gam : R.
Hypothesis beta_pos : 0 < beta g.
Hypothesis gam_pos : 0 < gam.
Implicit Types (q : classifier g).

Definition in_box q := forall z y, gam <= q z y <= 1.

Lemma weight_power q i z : weight 0 ref q i z = ref i z * Rpower (q z (lab i)) (- / beta g).
Proof.
rewrite /weight. case: Rlt_dec => /= H.
- rewrite /Rpower -[X in _ = X * _](exp_ln _ H) -exp_plus. congr exp. field. lra.
- have -> : ref i z = 0 by have := ref_ge0 i z; lra. by rewrite Rmult_0_l.
Qed.

Lemma power_bounds q z y : in_box q -> 1 <= Rpower (q z y) (- / beta g) <= Rpower gam (- / beta g).
Proof.
move=> Hq. have [A B] := Hq z y. have I := Rinv_0_lt_compat _ beta_pos.
have L := ln_le (q z y) 1 ltac:(lra) B. rewrite ln_1 in L. have M := ln_le _ _ gam_pos A.
have := Rmult_le_compat_l _ _ _ (Rlt_le _ _ I) L. have := Rmult_le_compat_l _ _ _ (Rlt_le _ _ I) M.
rewrite /Rpower => C D. split; last by apply: exp_le; lra. rewrite -exp_0; apply: exp_le; lra.
Qed.

Lemma weight_bounds q i z : in_box q ->
  ref i z <= weight 0 ref q i z <= Rpower gam (- / beta g) * ref i z.
Proof.
move=> Hq. rewrite weight_power. have [A B] := power_bounds q z (lab i) Hq. have C := ref_ge0 i z. nra.
Qed.

Lemma normaliser_bounds q i : in_box q -> 1 <= normaliser 0 ref q i <= Rpower gam (- / beta g).
Proof.
move=> Hq; split.
- rewrite -(ref_1 i); apply: rsum_le => z; exact: (proj1 (weight_bounds q i z Hq)).
- rewrite -[X in _ <= X]Rmult_1_r -(ref_1 i) -rsum_scal; apply: rsum_le => z; exact: (proj2 (weight_bounds q i z Hq)).
Qed.

Lemma reply_above q i z : in_box q -> Rpower gam (/ beta g) * ref i z <= generator_reply q i z.
Proof.
move=> Hq. have [N1 N2] := normaliser_bounds q i Hq. have [W _] := weight_bounds q i z Hq. have C := ref_ge0 i z.
rewrite Rmult_comm. apply: Rmult_le_compat => //; first by left; exact: exp_pos.
have -> : Rpower gam (/ beta g) = / Rpower gam (- / beta g) by rewrite Rpower_Ropp Rinv_inv.
apply: Rinv_le_contravar; lra.
Qed.

Lemma seed_lipschitz d q q' i : in_box q -> in_box q' -> 0 < d -> d <= normaliser 0 ref q i ->
  \rsum_(z : text g) Rabs (generator_reply q i z - generator_reply q' i z) <=
  2 / (beta g * d * Rpower gam (1 + / beta g)) * \rsum_(z : text g) (ref i z * Rabs (q z (lab i) - q' z (lab i))).
Proof.
move=> Hq Hq' Hd HN. have I := Rinv_0_lt_compat _ beta_pos.
apply: Rle_trans (normalise_lipschitz _ _ _ d (weight_ge0 0 ref q' i) Hd HN (normaliser_pos _ _ _ _)) _.
have -> : 2 / (beta g * d * Rpower gam (1 + / beta g)) = 2 / d * (/ beta g / Rpower gam (1 + / beta g)).
{ have := exp_pos ((1 + / beta g) * ln gam); rewrite -/(Rpower gam (1 + / beta g)) => P. field; lra. }
rewrite Rmult_assoc. apply: Rmult_le_compat_l; first by left; apply: Rdiv_lt_0_compat; lra.
rewrite -rsum_scal; apply: rsum_le => z. rewrite !weight_power -Rmult_minus_distr_l Rabs_mult.
rewrite Rabs_pos_eq; last exact: ref_ge0.
have := power_lipschitz gam (/ beta g) _ _ gam_pos I (proj1 (Hq z (lab i))) (proj1 (Hq' z (lab i))) => K.
have := Rmult_le_compat_l _ _ _ (ref_ge0 i z) K. lra.
Qed.

Lemma seed_lipschitz_sharp q q' i : in_box q -> in_box q' ->
  \rsum_(z : text g) Rabs (generator_reply q i z - generator_reply q' i z) <=
  1 / (2 * beta g * gam) * \rsum_(z : text g) Rabs (q z (lab i) - q' z (lab i)).
Proof.
move=> Hq Hq'. have [[P [_ S]] _] := generator_reply_interior q. have [[P' [_ S']] _] := generator_reply_interior q'.
set D := \rsum_(z : text g) Rabs (q z _ - _).
have I := Rinv_0_lt_compat _ beta_pos. have J := Rinv_0_lt_compat _ gam_pos.
have D0 : 0 <= D by apply: rsum_ge0 => z; exact: Rabs_pos.
have -> : 1 / (2 * beta g * gam) * D = / beta g * (/ gam * D) / 2 by field; lra.
apply: odds_lipschitz => //.
{ apply: Rmult_le_pos; first lra. apply: Rmult_le_pos; lra. }
move=> z t zt. rewrite /generator_reply /step.
have N := Rinv_0_lt_compat _ (normaliser_pos 0 ref q i). have N' := Rinv_0_lt_compat _ (normaliser_pos 0 ref q' i).
set n := normaliser _ _ _ _ in N *. set n' := normaliser _ _ _ _ in N' *.
have NN : 0 < / n * / n' by exact: Rmult_lt_0_compat.
suff W : weight 0 ref q i z * weight 0 ref q' i t <=
  exp (/ beta g * (/ gam * D)) * (weight 0 ref q' i z * weight 0 ref q i t).
{ have := Rmult_le_compat_r _ _ _ (Rlt_le _ _ NN) W. rewrite /Rdiv; lra. }
rewrite !weight_power. set e := exp _.
have RR : 0 <= ref i z * ref i t by apply: Rmult_le_pos; exact: ref_ge0.
suff W : Rpower (q z (lab i)) (- / beta g) * Rpower (q' t (lab i)) (- / beta g) <=
  e * (Rpower (q' z (lab i)) (- / beta g) * Rpower (q t (lab i)) (- / beta g)).
{ have := Rmult_le_compat_l _ _ _ RR W. lra. }
rewrite /e /Rpower -!exp_plus. apply: exp_le.
have L u : ln (q' u (lab i)) - ln (q u (lab i)) <= / gam * Rabs (q u (lab i) - q' u (lab i)).
{ rewrite Rabs_minus_sym.
  apply: Rle_trans (Rle_abs _) (ln_lipschitz _ _ _ gam_pos (proj1 (Hq' u (lab i))) (proj1 (Hq u (lab i)))). }
have L' u : ln (q u (lab i)) - ln (q' u (lab i)) <= / gam * Rabs (q u (lab i) - q' u (lab i)).
{ apply: Rle_trans (Rle_abs _) (ln_lipschitz _ _ _ gam_pos (proj1 (Hq u (lab i))) (proj1 (Hq' u (lab i)))). }
have K := rsum_two _ (fun u => Rabs (q u (lab i) - q' u (lab i))) z t (fun u => Rabs_pos _) zt. rewrite /= -/D in K.
have M := L z. have M' := L' t. have := Rmult_le_compat_l _ _ _ (Rlt_le _ _ J) K => G.
have := Rmult_le_compat_l (/ beta g) (ln (q' z (lab i)) - ln (q z (lab i)) + (ln (q t (lab i)) - ln (q' t (lab i))))
  (/ gam * D) ltac:(lra) ltac:(lra). lra.
Qed.
End Reply.

(* The l1 distance is a metric, and Banach's theorem for it. *)
Section Metric.
Context {S T : finType}.
Implicit Types f h : S -> T -> R.

Lemma distance_ge0 f h : 0 <= distance f h.
Proof. apply: rsum_ge0 => i; apply: rsum_ge0 => z; exact: Rabs_pos. Qed.

Lemma distance_sym f h : distance f h = distance h f.
Proof. apply: rsum_ext => i; apply: rsum_ext => z; exact: Rabs_minus_sym. Qed.

Lemma distance_triangle f h k : distance f k <= distance f h + distance h k.
Proof.
rewrite /distance -rsum_add; apply: rsum_le => i. rewrite -rsum_add; apply: rsum_le => z.
have -> : f i z - k i z = (f i z - h i z) + (h i z - k i z) by ring. exact: Rabs_triang.
Qed.

Lemma distance_row f h i : \rsum_(z : T) Rabs (f i z - h i z) <= distance f h.
Proof.
apply: (rsum_single_le _ (fun i => \rsum_(z : T) Rabs (f i z - h i z))) => j.
apply: rsum_ge0 => z; exact: Rabs_pos.
Qed.

Lemma distance_at f h i z : Rabs (f i z - h i z) <= distance f h.
Proof.
apply: Rle_trans (distance_row f h i). apply: (rsum_single_le _ (fun z => Rabs (f i z - h i z))) => t; exact: Rabs_pos.
Qed.

Lemma distance_eq f h : (forall i z, f i z = h i z) -> distance f h = 0.
Proof. move=> H. rewrite /distance big1 // => i _; rewrite big1 // => z _; by rewrite H Rminus_eq_0 Rabs_R0. Qed.

Lemma distance_le0 f h : distance f h <= 0 -> forall i z, f i z = h i z.
Proof.
move=> H i z. have := distance_at f h i z. case: (Req_dec (f i z) (h i z)) => // N.
have := Rabs_pos_lt _ (Rminus_eq_contra _ _ N). lra.
Qed.

(* Linear convergence to 0 leaves no room for a positive number. *)
Lemma geometric_le0 c m d : 0 <= c < 1 -> (forall n, d <= m * c ^ n) -> d <= 0.
Proof.
move=> Hc H. case: (Rle_lt_dec d 0) => // Hd. have M := H 0%nat. rewrite /= in M.
have [n Hn] := pow_lt_1_zero c ltac:(rewrite Rabs_pos_eq; lra) (d / m) ltac:(apply: Rdiv_lt_0_compat; lra).
have := Hn n (le_n n). have Cn := pow_le c n (proj1 Hc). rewrite Rabs_pos_eq // => A. have B := H n.
have := Rmult_lt_compat_l m _ _ ltac:(lra) A. have -> : m * (d / m) = d by field; lra. lra.
Qed.

Definition l1_closed (A : (S -> T -> R) -> Prop) :=
  forall p, (forall e, 0 < e -> exists p', A p' /\ distance p p' <= e) -> A p.

Theorem banach (A : (S -> T -> R) -> Prop) (F : (S -> T -> R) -> S -> T -> R) c p0 :
  0 <= c < 1 -> l1_closed A -> A p0 ->
  (forall p, A p -> A (F p)) -> (forall p p', A p -> A p' -> distance (F p) (F p') <= c * distance p p') ->
  exists p, A p /\ forall i z, p i z = F p i z.
Proof.
move=> Hc clA A0 FA FL. have [c0 c1] := Hc. pose u n := ssrnat.iter n F p0.
have Au n : A (u n) by elim: n => //= n IH; exact: FA.
have pow0 n := pow_le c n c0. have powS n : c ^ n.+1 = c * c ^ n by []. set K := distance (u 0%nat) (u 1%nat) / (1 - c).
have K0 : 0 <= K by apply: Rmult_le_pos; [exact: distance_ge0|left; apply: Rinv_0_lt_compat; lra].
have step1 n : distance (u n) (u n.+1) <= (1 - c) * K * c ^ n.
{ elim: n => [|n IH]; first by rewrite /K /=; right; field; lra.
  have H : distance (u n.+1) (u n.+2) <= _ := FL (u n) (u n.+1) (Au n) (Au n.+1). rewrite powS.
  have := Rmult_le_compat_l c _ _ c0 IH. lra. }
have stepm n m : distance (u n) (u (n + m)%nat) <= K * c ^ n - K * c ^ (n + m)%nat.
{ elim: m => [|m IH]; first by rewrite addn0 distance_eq //; lra.
  have := distance_triangle (u n) (u (n + m)%nat) (u (n + m).+1). have := step1 (n + m)%nat. rewrite addnS powS. lra. }
have far n m : distance (u n) (u (n + m)%nat) <= K * c ^ n.
{ have := stepm n m. have := Rmult_le_pos _ _ K0 (pow0 (n + m)%nat). lra. }
have cauchy i z : Cauchy_crit (fun n => u n i z).
{ move=> e He. have He' : 0 < e / (2 * (K + 1)) by apply: Rdiv_lt_0_compat; lra.
  have [N HN] := pow_lt_1_zero c ltac:(rewrite Rabs_pos_eq; lra) _ He'. exists N.
  have {}HN : K * c ^ N < e / 2.
  { have := HN N (le_n N). rewrite Rabs_pos_eq // => H. have := Rmult_lt_compat_l (K + 1) _ _ ltac:(lra) H.
    have -> : (K + 1) * (e / (2 * (K + 1))) = e / 2 by field; lra. have := pow0 N. lra. }
  have D n : (n >= N)%coq_nat -> Rabs (u N i z - u n i z) <= K * c ^ N.
  { move=> /leP Hn. have := far N (n - N)%nat. rewrite subnKC // => H. exact: Rle_trans (distance_at _ _ _ _) H. }
  move=> n m /D Dn /D Dm. rewrite /R_dist.
  have -> : u n i z - u m i z = - (u N i z - u n i z) + (u N i z - u m i z) by ring.
  have := Rabs_triang (- (u N i z - u n i z)) (u N i z - u m i z). rewrite Rabs_Ropp. lra. }
pose p : S -> T -> R := fun i z => proj1_sig (Rcomplete.R_complete _ (cauchy i z)).
have near n i z : Rabs (p i z - u n i z) <= K * c ^ n.
{ rewrite /p. case: Rcomplete.R_complete => l /= Hl. apply: le_epsilon => e He. have [N HN] := Hl e He.
  have := HN (n + N)%nat ltac:(apply/leP; exact: leq_addl). rewrite /R_dist => A1.
  have A2 := Rle_trans _ _ _ (distance_at _ _ i z) (far n N).
  have -> : l - u n i z = - (u (n + N)%nat i z - l) + - (u n i z - u (n + N)%nat i z) by ring.
  apply: Rle_trans (Rabs_triang _ _) _. rewrite !Rabs_Ropp. lra. }
set M := INR #|S| * (INR #|T| * K).
have lim n : distance p (u n) <= M * c ^ n.
{ have -> : M * c ^ n = INR #|S| * (INR #|T| * (K * c ^ n)) by rewrite /M; ring.
  rewrite -!rsum_const; apply: rsum_le => i; apply: rsum_le => z; exact: near. }
have Ap : A p.
{ apply: clA => e He. have M0 : 0 <= M by have := lim 0%nat; have := distance_ge0 p (u 0%nat); rewrite /=; lra.
  have He' : 0 < e / (M + 1) by apply: Rdiv_lt_0_compat; lra.
  have [N HN] := pow_lt_1_zero c ltac:(rewrite Rabs_pos_eq; lra) _ He'. exists (u N); split=> //.
  have := HN N (le_n N). rewrite Rabs_pos_eq // => H. have := Rmult_lt_compat_l (M + 1) _ _ ltac:(lra) H.
  have -> : (M + 1) * (e / (M + 1)) = e by field; lra. have := lim N. have := pow0 N. lra. }
exists p; split=> //. apply: distance_le0. apply: (geometric_le0 c (2 * M)) => // n.
have := distance_triangle p (u n.+1) (F p). have := lim n.+1. rewrite powS => A2 A3.
have A1 : distance (u n.+1) (F p) <= _ := FL (u n) p (Au n) Ap. rewrite (distance_sym (u n)) in A1. have A4 := lim n.
have B1 := Rmult_le_compat_l c _ _ c0 A4.
have B2 : c * (M * c ^ n) <= M * c ^ n.
{ have : 0 <= M * c ^ n by have := distance_ge0 p (u n); lra. move: (M * c ^ n) => v Hv. nra. }
lra.
Qed.
End Metric.

(* The paper's game: two labels, both best replies, and the constants. *)
Section Paper.
Context {s : setting}.
Implicit Types (p : generator s) (q : classifier s) (a b : generator s * classifier s).

Let beta_pos : 0 < beta s := temperature_pos s.
Let gam_pos := gamma_pos s.
Let gam_half := gamma_half s.
Let power_pos : 0 < Rpower (gamma s) (1 + / beta s) := exp_pos _.
Notation size := (INR #|input s|).

Lemma rsum_seed (f : seed s -> R) : \rsum_(i : seed s) f i = \rsum_(x : input s) \rsum_(y : bool) f (x, y).
Proof. exact: rsum_pair. Qed.

Lemma rsum_label (f : label s -> R) : \rsum_(y : label s) f y = f true + f false.
Proof. exact: rsum_bool. Qed.

Lemma rsum_swap3 (f : input s -> bool -> sample s -> R) :
  \rsum_(x : input s) \rsum_(y : bool) \rsum_(z : sample s) f x y z =
  \rsum_(z : sample s) \rsum_(y : bool) \rsum_(x : input s) f x y z.
Proof. rewrite rsum_swap [RHS]rsum_swap; apply: rsum_ext => y; exact: rsum_swap. Qed.

Lemma class_box q : class_Q q -> in_box (gamma s) q.
Proof.
case=> [[A B] C] z y; split=> //. have := B z; rewrite rsum_label => E.
have := A z true; have := A z false. case: y; lra.
Qed.

Lemma input_size : 1 <= size.
Proof.
rewrite -[size]Rmult_1_r -rsum_const -{1}(rho_xy_1 s). apply: rsum_le => x. rewrite -(rho_xy_1 s).
apply: (rsum_single_le _ (fun x => \rsum_(y : bool) rho_xy s x y)) => t. apply: rsum_ge0 => y; left; exact: rho_xy_pos.
Qed.

(* T_phi *)
Theorem normalisers_above_1 : bounds_normalisers s 1.
Proof. split=> [|q i /class_box Hq]; [lra|exact: (proj1 (normaliser_bounds _ beta_pos gam_pos q i Hq))]. Qed.

Theorem reply_domain q : class_Q q -> domain_D (generator_reply q).
Proof.
move=> /class_box Hq. split; first exact: (proj1 (generator_reply_interior q)).
move=> i z; exact: (reply_above _ beta_pos gam_pos).
Qed.

Theorem reply_lipschitz_columns delta m q q' : bounds_normalisers s delta ->
  (forall y z, \rsum_(x : input s) ref_xy s x y z <= m) -> class_Q q -> class_Q q' ->
  distance (generator_reply q) (generator_reply q') <=
  2 * m / (beta s * delta * Rpower (gamma s) (1 + / beta s)) * distance q q'.
Proof.
move=> [Hd HN] Hm Hq Hq'. set c := 2 / (beta s * delta * Rpower (gamma s) (1 + / beta s)).
have c0 : 0 <= c. { left; apply: Rdiv_lt_0_compat; first lra. do 2 apply: Rmult_lt_0_compat => //. }
have -> : 2 * m / (beta s * delta * Rpower (gamma s) (1 + / beta s)) * distance q q' = c * (m * distance q q').
{ rewrite /c; field; lra. }
apply: (Rle_trans _ (\rsum_(i : seed s) (c * \rsum_(z : text s) (ref i z * Rabs (q z (lab i) - q' z (lab i)))))).
{ apply: rsum_le => i. apply: seed_lipschitz => //; [exact: class_box|exact: class_box|exact: HN]. }
rewrite rsum_scal. apply: Rmult_le_compat_l => //. rewrite rsum_seed rsum_swap3 -rsum_scal.
apply: rsum_le => z. rewrite -rsum_scal; apply: rsum_le => y.
rewrite (rsum_scalr _ (Rabs (q z y - q' z y)) (fun x => ref_xy s x y z)).
apply: Rmult_le_compat_r; [exact: Rabs_pos|exact: Hm].
Qed.

Theorem reply_lipschitz delta q q' : bounds_normalisers s delta -> class_Q q -> class_Q q' ->
  distance (generator_reply q) (generator_reply q') <=
  2 * INR #|input s| / (beta s * delta * Rpower (gamma s) (1 + / beta s)) * distance q q'.
Proof.
move=> Hd; apply: reply_lipschitz_columns => // y z.
rewrite -[size]Rmult_1_r -rsum_const; apply: rsum_le => x. rewrite -(ref_xy_1 s x y).
apply: rsum_single_le => t; exact: ref_xy_ge0.
Qed.

Theorem reply_lipschitz_sharp q q' : class_Q q -> class_Q q' ->
  distance (generator_reply q) (generator_reply q') <= INR #|input s| / (2 * beta s * gamma s) * distance q q'.
Proof.
move=> Hq Hq'. have -> : size / (2 * beta s * gamma s) * distance q q' =
  1 / (2 * beta s * gamma s) * (size * distance q q') by field; lra.
apply: (Rle_trans _ (\rsum_(i : seed s)
  (1 / (2 * beta s * gamma s) * \rsum_(z : text s) Rabs (q z (lab i) - q' z (lab i))))).
{ apply: rsum_le => i. apply: seed_lipschitz_sharp => //; exact: class_box. }
rewrite rsum_scal. apply: Rmult_le_compat_l.
{ left; apply: Rdiv_lt_0_compat; first lra. apply: Rmult_lt_0_compat; lra. }
rewrite rsum_seed rsum_swap3 -rsum_scal. apply: rsum_le => z. rewrite -rsum_scal; apply: rsum_le => y.
by rewrite (rsum_const _ (Rabs (q z y - q' z y))); right.
Qed.

(* T_theta *)
Lemma clip_range v : gamma s <= clip (gamma s) v <= 1 - gamma s.
Proof. rewrite /clip /Rmax /Rmin; repeat case: Rle_dec; lra. Qed.

Lemma clip_cases v :
  (clip (gamma s) v = v /\ gamma s <= v <= 1 - gamma s) \/ (clip (gamma s) v = gamma s /\ v <= gamma s) \/
  (clip (gamma s) v = 1 - gamma s /\ 1 - gamma s <= v).
Proof. rewrite /clip /Rmax /Rmin; repeat case: Rle_dec; lra. Qed.

Theorem clip_lipschitz u v : Rabs (clip (gamma s) u - clip (gamma s) v) <= Rabs (u - v).
Proof. rewrite /clip /Rmax /Rmin; repeat case: Rle_dec; split_Rabs; lra. Qed.

Lemma clip_complement v : clip (gamma s) (1 - v) = 1 - clip (gamma s) v.
Proof. case: (clip_cases v); case: (clip_cases (1 - v)); lra. Qed.

Lemma joint_ge0 p z y : is_generator p -> 0 <= joint p z y.
Proof.
case=> A _. apply: rsum_ge0 => x; apply: Rmult_le_pos; [left; exact: rho_xy_pos|exact: (A (x, y))].
Qed.

Lemma masses_sum p : is_generator p -> \rsum_(z : sample s) mass p z = 1.
Proof.
case=> _ [_ A]. rewrite -(rho_xy_1 s) -rsum_swap3. apply: rsum_ext => x; apply: rsum_ext => y.
rewrite rsum_scal. by have := A (x, y) => /= ->; rewrite Rmult_1_r.
Qed.

Lemma posterior_class p : (forall z, 0 < mass p z) -> class_Q (posterior p).
Proof.
move=> M. have C z y : gamma s <= posterior p z y by case: (clip_range (joint p z y / mass p z)).
split=> //; split=> [z y|z]; first by have := C z y; lra.
rewrite rsum_label /posterior. have -> : joint p z false / mass p z = 1 - joint p z true / mass p z.
{ have := M z. rewrite /mass rsum_bool => H. field. lra. }
rewrite clip_complement; ring.
Qed.

Theorem posterior_lipschitz_max alpha m p p' : bounds_masses s alpha -> (forall x y, rho_xy s x y <= m) ->
  domain_D p -> domain_D p' -> distance (posterior p) (posterior p') <= 2 * m / alpha * distance p p'.
Proof.
move=> [Ha HM] Hm Dp Dp'. apply: (Rle_trans _ (2 / alpha * distance (joint p) (joint p'))).
- rewrite /distance -rsum_scal; apply: rsum_le => z.
  apply: (Rle_trans _ (\rsum_(y : bool) Rabs (joint p z y / mass p z - joint p' z y / mass p' z))).
  + apply: rsum_le => y; exact: clip_lipschitz.
  + apply: normalise_lipschitz => //; [move=> y; apply: joint_ge0; exact: (proj1 Dp')|exact: HM|].
    exact: Rlt_le_trans Ha (HM p' z Dp').
- have -> : 2 * m / alpha * distance p p' = 2 / alpha * (m * distance p p') by field; lra.
  apply: Rmult_le_compat_l; first by left; apply: Rdiv_lt_0_compat; lra.
  rewrite /distance rsum_seed rsum_swap3 -rsum_scal. apply: rsum_le => z. rewrite -rsum_scal. apply: rsum_le => y.
  rewrite /joint -rsum_sub -rsum_scal. apply: Rle_trans (rsum_abs _ _) _. apply: rsum_le => x.
  rewrite -Rmult_minus_distr_l Rabs_mult Rabs_pos_eq; last by left; exact: rho_xy_pos.
  apply: Rmult_le_compat_r; [exact: Rabs_pos|exact: Hm].
Qed.

Theorem posterior_lipschitz alpha p p' : bounds_masses s alpha -> (forall x y, rho_xy s x y <= / INR #|input s|) ->
  domain_D p -> domain_D p' ->
  distance (posterior p) (posterior p') <= 2 / (alpha * INR #|input s|) * distance p p'.
Proof.
move=> Ha Hr Dp Dp'. have N := input_size. have a0 := proj1 Ha.
have -> : 2 / (alpha * size) = 2 * / size / alpha by field; lra.
exact: posterior_lipschitz_max.
Qed.

Theorem uniform_inputs : (forall x, \rsum_(y : bool) rho_xy s x y = / INR #|input s|) ->
  forall x y, rho_xy s x y <= / INR #|input s|.
Proof. move=> H x y. rewrite -(H x). apply: rsum_single_le => b; left; exact: rho_xy_pos. Qed.

Theorem masses_above alpha0 : 0 < alpha0 -> (forall z, alpha0 <= mass (@ref s) z) ->
  bounds_masses s (Rpower (gamma s) (/ beta s) * alpha0).
Proof.
move=> H0 H. have G : 0 < Rpower (gamma s) (/ beta s) := exp_pos _.
split=> [|p z [_ D]]; first exact: Rmult_lt_0_compat.
apply: (Rle_trans _ (Rpower (gamma s) (/ beta s) * mass ref z)); first by apply: Rmult_le_compat_l; [lra|exact: H].
rewrite -rsum_scal; apply: rsum_le => y. rewrite -rsum_scal; apply: rsum_le => x.
have := Rmult_le_compat_l _ _ _ (Rlt_le _ _ (rho_xy_pos s x y)) (D (x, y) z). rewrite /=; lra.
Qed.

(* Two rounds *)
Lemma round_in_DQ a : in_DQ a -> (forall z, 0 < mass a.1 z) -> in_DQ (both_reply a).
Proof. move=> [Da Qa] M; split; [exact: reply_domain|exact: posterior_class]. Qed.

Lemma masses_pos alpha p : bounds_masses s alpha -> domain_D p -> forall z, 0 < mass p z.
Proof. move=> [H M] D z; exact: Rlt_le_trans H (M p z D). Qed.

(* The Lipschitz constant of two rounds is the product of the two, in either component. *)
Lemma contracts_product alpha l m : bounds_masses s alpha -> 0 <= l -> 0 <= m ->
  (forall q q', class_Q q -> class_Q q' -> distance (generator_reply q) (generator_reply q') <= l * distance q q') ->
  (forall p p', domain_D p -> domain_D p' -> distance (posterior p) (posterior p') <= m * distance p p') ->
  contracts s (l * m).
Proof.
move=> Ha l0 m0 L M [p q] [p' q'] [Dp Qq] [Dp' Qq'].
have A := L _ _ (posterior_class p (masses_pos alpha p Ha Dp)) (posterior_class p' (masses_pos alpha p' Ha Dp')).
have B := M _ _ (reply_domain q Qq) (reply_domain q' Qq').
have A' := Rmult_le_compat_l l _ _ l0 (M p p' Dp Dp'). have B' := Rmult_le_compat_l m _ _ m0 (L q q' Qq Qq').
apply: Rle_trans (Rplus_le_compat _ _ _ _ A B) _. apply: Rle_trans (Rplus_le_compat _ _ _ _ A' B') _.
rewrite -[X in _ <= X]/(l * m * (distance p p' + distance q q')). lra.
Qed.

Theorem contraction delta alpha : bounds_normalisers s delta -> bounds_masses s alpha ->
  (forall x y, rho_xy s x y <= / INR #|input s|) -> contracts s (factor s delta alpha).
Proof.
move=> Hd Ha Hr. have [d0 _] := Hd. have [a0 _] := Ha. have N := input_size.
have -> : factor s delta alpha =
  2 * size / (beta s * delta * Rpower (gamma s) (1 + / beta s)) * (2 / (alpha * size)).
{ rewrite /factor. field. lra. }
apply: (contracts_product alpha) => //.
- left; apply: Rdiv_lt_0_compat; first lra. do 2 apply: Rmult_lt_0_compat => //.
- left; apply: Rdiv_lt_0_compat; first lra. apply: Rmult_lt_0_compat; lra.
- move=> q q'; exact: reply_lipschitz.
- move=> p p'; exact: posterior_lipschitz.
Qed.

Theorem contraction_sharp alpha : bounds_masses s alpha -> (forall x y, rho_xy s x y <= / INR #|input s|) ->
  contracts s (sharp_factor s alpha).
Proof.
move=> Ha Hr. have [a0 _] := Ha. have N := input_size.
have -> : sharp_factor s alpha = size / (2 * beta s * gamma s) * (2 / (alpha * size)).
{ rewrite /sharp_factor. field. lra. }
apply: (contracts_product alpha) => //.
- left; apply: Rdiv_lt_0_compat; first lra. apply: Rmult_lt_0_compat; lra.
- left; apply: Rdiv_lt_0_compat; first lra. apply: Rmult_lt_0_compat; lra.
- move=> q q'; exact: reply_lipschitz_sharp.
- move=> p p'; exact: posterior_lipschitz.
Qed.

(* Fixed points are equilibria *)
Lemma loss_joint p q : loss p q = \rsum_(z : sample s) \rsum_(y : bool) (joint p z y * - ln (q z y)).
Proof.
rewrite /loss /real_loss [X in _ + X]big1 => [|y _]; last by rewrite big1 // => z _; exact: Rmult_0_l.
rewrite Rplus_0_r /avg rsum_seed.
transitivity (\rsum_(z : sample s) \rsum_(y : bool) \rsum_(x : input s) (rho_xy s x y * (p (x, y) z * - ln (q z y)))).
- rewrite -rsum_swap3; apply: rsum_ext => x; apply: rsum_ext => y; by rewrite rsum_scal.
- apply: rsum_ext => z; apply: rsum_ext => y. rewrite /joint -rsum_scalr; apply: rsum_ext => x; ring.
Qed.

(* A two-label row: no move inside [gamma, 1 - gamma] improves on the clipped posterior to first order. *)
Lemma row_best u v t : 0 <= u -> 0 <= v -> 0 < u + v -> gamma s <= t <= 1 - gamma s ->
  let c := clip (gamma s) (u / (u + v)) in u * (t / c - 1) + v * ((1 - t) / (1 - c) - 1) <= 0.
Proof.
move=> Hu Hv Huv Ht c. have Hc := clip_range (u / (u + v)). rewrite -/c in Hc.
have K : 0 <= (t - c) * (c - u / (u + v)).
{ case: (clip_cases (u / (u + v))); rewrite -/c; [|case]; case=> H1 H2; rewrite H1; nra. }
have -> : u * (t / c - 1) + v * ((1 - t) / (1 - c) - 1) =
  - ((u + v) / (c * (1 - c)) * ((t - c) * (c - u / (u + v)))) by field; lra.
have P : 0 < (u + v) / (c * (1 - c)) by apply: Rdiv_lt_0_compat => //; apply: Rmult_lt_0_compat; lra.
have := Rmult_le_pos _ _ (Rlt_le _ _ P) K. lra.
Qed.

Definition excess p q z y := joint p z y * (q z y / posterior p z y - 1 - ln (q z y / posterior p z y)).

Lemma class_pos q z y : class_Q q -> 0 < q z y.
Proof. move=> /class_box H. case: (H z y) => A _. exact: Rlt_le_trans gam_pos A. Qed.

Lemma excess_ge0 p q z y : is_generator p -> class_Q (posterior p) -> class_Q q -> 0 <= excess p q z y.
Proof.
move=> Hp Qp Qq. apply: Rmult_le_pos; first exact: joint_ge0.
have := ln_le_sub1 _ (Rdiv_lt_0_compat _ _ (class_pos q z y Qq) (class_pos _ z y Qp)). lra.
Qed.

Lemma loss_excess p q : is_generator p -> (forall z, 0 < mass p z) -> class_Q q ->
  loss p (posterior p) + \rsum_(z : sample s) \rsum_(y : bool) excess p q z y <= loss p q.
Proof.
move=> Hp M Qq. have Qp := posterior_class p M. rewrite !loss_joint -rsum_add. apply: rsum_le => z.
have := row_best _ _ (q z true) (joint_ge0 p z true Hp) (joint_ge0 p z false Hp).
have Mz := M z. rewrite /mass rsum_bool in Mz. move=> /(_ Mz).
have B := class_box q Qq z. have E := proj2 (proj1 Qq) z. rewrite rsum_label in E.
have B' := class_box _ Qp z. have E' := proj2 (proj1 Qp) z. rewrite rsum_label in E'.
have Bt := proj2 Qq z true. have Bf := proj2 Qq z false.
move=> /(_ ltac:(lra)). rewrite !rsum_bool /excess.
have -> : clip (gamma s) (joint p z true / (joint p z true + joint p z false)) = posterior p z true.
{ by rewrite /posterior /mass rsum_bool. }
have -> : 1 - q z true = q z false by lra. have -> : 1 - posterior p z true = posterior p z false by lra.
rewrite !ln_div; try exact: class_pos. lra.
Qed.

Theorem posterior_reply p : is_generator p -> (forall z, 0 < mass p z) -> reply class_Q p (posterior p).
Proof.
move=> Hp M. have Qp := posterior_class p M. split=> // q Qq. rewrite /payoff. have := loss_excess p q Hp M Qq.
have : 0 <= \rsum_(z : sample s) \rsum_(y : bool) excess p q z y; last lra.
apply: rsum_ge0 => z; apply: rsum_ge0 => y; exact: excess_ge0.
Qed.

Theorem posterior_unique p q : is_generator p -> (forall z, 0 < mass p z) -> reply class_Q p q ->
  forall z y, q z y = posterior p z y.
Proof.
move=> Hp M [Qq L] z. have Qp := posterior_class p M. have {}L := L _ Qp. rewrite /payoff in L.
have Ge := fun t y => excess_ge0 p q t y Hp Qp Qq.
have Z0 : \rsum_(z : sample s) \rsum_(y : bool) excess p q z y = 0.
{ apply: Rle_antisym; last by apply: rsum_ge0 => t; exact: rsum_ge0. have := loss_excess p q Hp M Qq. lra. }
have Z1 := rsum_eq0 _ _ (fun z => rsum_ge0 _ _ (Ge z)) Z0 z. have Z2 := rsum_eq0 _ _ (Ge z) Z1.
have W y : 0 < joint p z y -> q z y = posterior p z y.
{ move=> J. have := Z2 y. rewrite /excess. case: (Req_dec (q z y / posterior p z y) 1) => H.
  - move=> _. have P := class_pos _ z y Qp. have -> : q z y = q z y / posterior p z y * posterior p z y by field; lra.
    by rewrite H Rmult_1_l.
  - have := ln_lt_sub1 _ (Rdiv_lt_0_compat _ _ (class_pos q z y Qq) (class_pos _ z y Qp)) H => A B.
    have := Rmult_integral _ _ B. lra. }
have E := proj2 (proj1 Qq) z. have E' := proj2 (proj1 Qp) z. rewrite rsum_label in E. rewrite rsum_label in E'.
have Mz := M z. rewrite /mass rsum_bool in Mz. have [Jt|Jt] := joint_ge0 p z true Hp.
- have Wt := W true Jt. case; lra.
- have Wf := W false ltac:(lra). case; lra.
Qed.

Lemma domain_closed : l1_closed (@domain_D s).
Proof.
move=> p H. have G i z e : 0 < e -> Rpower (gamma s) (/ beta s) * ref i z <= p i z + e.
{ move=> He. have [p' [[_ D] N]] := H e He. have := distance_at p p' i z. have := D i z. split_Rabs; lra. }
have G0 i z : Rpower (gamma s) (/ beta s) * ref i z <= p i z by apply: le_epsilon => e; exact: G.
split=> //; split; [|split].
- move=> i z. apply: Rle_trans (G0 i z). apply: Rmult_le_pos; [left; exact: exp_pos|exact: ref_ge0].
- move=> i z R0. have := G0 i z. rewrite R0 Rmult_0_r => P. apply: Rle_antisym => //. apply: le_epsilon => e He.
  have [p' [[[_ [D _]] _] N]] := H e He. have := distance_at p p' i z. rewrite D //. split_Rabs; lra.
- move=> i. apply: Rminus_diag_uniq. set d := _ - _. suff : Rabs d <= 0 by split_Rabs; lra.
  apply: le_epsilon => e He. rewrite Rplus_0_l. have [p' [[[_ [_ D]] _] N]] := H e He.
  rewrite /d -(D i) -rsum_sub. apply: Rle_trans (rsum_abs _ _) _. exact: Rle_trans (distance_row p p' i) N.
Qed.

Lemma domain_ext p p' : (forall i z, p i z = p' i z) -> domain_D p' -> domain_D p.
Proof. move=> E D. apply: domain_closed => e He. exists p'; split=> //. rewrite distance_eq //; lra. Qed.

Lemma payoff_ext p p' q q' : (forall i z, p i z = p' i z) -> (forall z y, q z y = q' z y) -> payoff p q = payoff p' q'.
Proof.
move=> Ep Eq. rewrite /payoff !loss_joint. congr (_ - _ * _).
- apply: rsum_ext => z; apply: rsum_ext => y; rewrite Eq /joint; congr (_ * _); apply: rsum_ext => x; by rewrite Ep.
- by apply: avg_ext => i z; rewrite Ep.
Qed.

Theorem nash_fixed alpha p q : bounds_masses s alpha -> class_Q q -> nash class_Q p q <-> fixed p q.
Proof.
move=> Ha Qq. have Aq := member_admissible class_Q q Qq. split.
- move=> [Hp [Mp Rq]].
  have E := reply_unique beta_pos p q Aq Hp (Mp _ (proj1 (reply_domain q Qq))).
  have M := masses_pos alpha p Ha (domain_ext _ _ E (reply_domain q Qq)). split=> //; exact: posterior_unique.
- move=> [Ep Eq]. have Dp := domain_ext _ _ Ep (reply_domain q Qq). have M := masses_pos alpha p Ha Dp.
  split; [exact: (proj1 Dp)|split; [|split=> //]].
  + move=> u Hu. rewrite (payoff_ext p (generator_reply q) q q) //. exact: reply_max.
  + rewrite (payoff_ext p p q (posterior p)) //. exact: (proj2 (posterior_reply p (proj1 Dp) M)).
Qed.

(* Linear convergence *)
Lemma same_refl a : same a a. Proof. by []. Qed.

Lemma dist_ext a a' b b' : same a a' -> same b b' -> dist a b = dist a' b'.
Proof.
move=> [A1 A2] [B1 B2]. rewrite /dist /distance. congr (_ + _); apply: rsum_ext => i; apply: rsum_ext => j.
- by rewrite A1 B1.
- by rewrite A2 B2.
Qed.

Lemma fixed_rounds p q : fixed p q -> same (two_rounds (p, q)) (p, q).
Proof.
move=> [Ep Eq]; split=> [i z|z y] /=.
- rewrite Ep. have W t : weight 0 ref (posterior p) i t = weight 0 ref q i t by rewrite /weight Eq.
  rewrite /generator_reply /step W; congr (_ / _); apply: rsum_ext => t; exact: W.
- rewrite Eq. have J t x : joint (generator_reply q) t x = joint p t x by apply: rsum_ext => v; rewrite Ep.
  rewrite /posterior J; congr (clip _ (_ / _)); apply: rsum_ext => t; exact: J.
Qed.

Lemma power_le1 : Rpower (gamma s) (/ beta s) <= 1.
Proof.
rewrite /Rpower -exp_0; apply: exp_le. have I := Rinv_0_lt_compat _ beta_pos.
have := ln_le (gamma s) 1 gam_pos ltac:(lra). rewrite ln_1 => L. have := Rmult_le_compat_l _ _ _ (Rlt_le _ _ I) L. lra.
Qed.

Lemma reference_domain : domain_D (@ref s).
Proof.
split; first exact: (proj1 reference_interior).
move=> i z. have := Rmult_le_compat_r _ _ _ (ref_ge0 i z) power_le1. lra.
Qed.

Lemma contracts_converges alpha c : bounds_masses s alpha -> 0 <= c < 1 -> contracts s c -> converges s c.
Proof.
move=> Ha Hc C. have M p := masses_pos alpha p Ha. have PQ p D := posterior_class p (M p D).
have [] := banach domain_D (fun p => generator_reply (posterior p)) c ref Hc domain_closed reference_domain.
- move=> p /PQ; exact: reply_domain.
- move=> p p' Dp Dp'. have Q0 := PQ ref reference_domain.
  have H := C (p, posterior ref) (p', posterior ref) (conj Dp Q0) (conj Dp' Q0).
  have H' : distance (generator_reply (posterior p)) (generator_reply (posterior p')) +
    distance (posterior (generator_reply (posterior ref))) (posterior (generator_reply (posterior ref))) <=
    c * (distance p p' + distance (posterior ref) (posterior ref)) := H.
  move: H'. rewrite !(distance_eq (posterior _)) // !Rplus_0_r. exact.
move=> p [Dp Ep]. exists p, (posterior p). have F : fixed p (posterior p) by []. have Qp := PQ p Dp.
have step2 a : in_DQ a -> dist (two_rounds a) (p, posterior p) <= c * dist a (p, posterior p).
{ move=> Ia. rewrite -(dist_ext _ _ _ _ (same_refl _) (fixed_rounds _ _ F)). exact: C. }
have one p' q' : class_Q q' -> fixed p' q' -> same (p', q') (p, posterior p).
{ move=> Qq F'. have I : in_DQ (p', q') by split=> //; exact: domain_ext (proj1 F') (reply_domain q' Qq).
  have := step2 _ I. rewrite (dist_ext _ _ _ _ (fixed_rounds _ _ F') (same_refl _)).
  have P1 := distance_ge0 p' p. have P2 := distance_ge0 q' (posterior p).
  rewrite -[dist (p', q') _]/(distance p' p + distance q' (posterior p)) => H.
  have Z : distance p' p + distance q' (posterior p) <= 0 by case: Hc => _ c1; nra.
  have Zp : distance p' p <= 0 by lra. have Zq : distance q' (posterior p) <= 0 by lra.
  split; [exact: distance_le0 Zp|exact: distance_le0 Zq]. }
split; first exact/(nash_fixed alpha). do 2 split=> //.
{ move=> p' q' N. have Qq : class_Q q' by case: N => _ [_ []]. apply: one => //; exact/(nash_fixed alpha). }
split=> // a n. elim: n a => [|n IH] a Ia; first by rewrite /= Rmult_1_l; right.
have Ib := round_in_DQ a Ia (M _ (proj1 Ia)). have Ic := round_in_DQ _ Ib (M _ (proj1 Ib)).
rewrite iterSr -[c ^ n.+1]/(c * c ^ n). apply: Rle_trans (IH _ Ic) _. rewrite (Rmult_comm c) Rmult_assoc.
apply: Rmult_le_compat_l; [exact: pow_le (proj1 Hc)|exact: step2].
Qed.

Theorem theorem_4_2 delta alpha : bounds_normalisers s delta -> bounds_masses s alpha ->
  (forall x y, rho_xy s x y <= / INR #|input s|) -> factor s delta alpha < 1 -> converges s (factor s delta alpha).
Proof.
move=> Hd Ha Hr Hc. apply: (contracts_converges alpha) => //; last exact: contraction. split=> //.
left; apply: Rdiv_lt_0_compat; first lra. have [d0 _] := Hd. have [a0 _] := Ha.
do 3 apply: Rmult_lt_0_compat => //.
Qed.

Theorem theorem_4_2_sharp alpha : bounds_masses s alpha -> (forall x y, rho_xy s x y <= / INR #|input s|) ->
  sharp_factor s alpha < 1 -> converges s (sharp_factor s alpha).
Proof.
move=> Ha Hr Hc. apply: (contracts_converges alpha) => //; last exact: contraction_sharp. split=> //.
left; apply: Rdiv_lt_0_compat; first lra. have [a0 _] := Ha. do 2 apply: Rmult_lt_0_compat => //.
Qed.

(* With no constant assumed: delta = 1 and alpha from the reference. *)
Theorem theorem_4_2_derived alpha0 : 0 < alpha0 -> (forall z, alpha0 <= mass (@ref s) z) ->
  (forall x y, rho_xy s x y <= / INR #|input s|) -> let c := factor s 1 (Rpower (gamma s) (/ beta s) * alpha0) in
  c < 1 -> converges s c.
Proof. move=> H0 H Hr c; apply: theorem_4_2 => //; [exact: normalisers_above_1|exact: masses_above]. Qed.

(* How much the condition asks for *)
Lemma sample_size : 1 <= INR #|sample s|.
Proof.
have E := masses_sum ref (proj1 reference_domain). rewrite -[INR _]Rmult_1_r -rsum_const -{1}E.
apply: rsum_le => z. rewrite -E. apply: (rsum_single_le _ (fun z => mass ref z)) => t. apply: rsum_ge0 => y.
exact: joint_ge0 (proj1 reference_domain).
Qed.

Theorem alpha_le alpha : bounds_masses s alpha -> alpha <= / INR #|sample s|.
Proof.
move=> [_ H]. have N := sample_size. apply: (Rmult_le_reg_l (INR #|sample s|)); first lra. rewrite Rinv_r; last lra.
rewrite -rsum_const -(masses_sum ref (proj1 reference_domain)). apply: rsum_le => z; exact: H reference_domain.
Qed.

Theorem delta_le delta : bounds_normalisers s delta -> delta * Rpower (gamma s) (/ beta s) <= 1.
Proof.
move=> [_ H]. pose q : classifier s := fun _ _ => / 2.
have Qq : class_Q q. { split; last by move=> ? ?; rewrite /q; lra. split=> [? ?|z]; rewrite ?rsum_label /q; lra. }
have G : 0 < Rpower (gamma s) (/ beta s) := exp_pos _.
suff : delta <= / Rpower (gamma s) (/ beta s).
{ move=> /(Rmult_le_compat_r _ _ _ (Rlt_le _ _ G)). rewrite Rinv_l; lra. }
rewrite -Rpower_Ropp -[delta]Rmult_1_r -[X in _ <= X]Rmult_1_r -(rho_1 s) -!rsum_scal. apply: rsum_le => i.
apply: Rmult_le_compat_r; first by left; exact: rho_pos.
apply: Rle_trans (H q i Qq) _. exact: (proj2 (normaliser_bounds _ beta_pos gam_pos q i (class_box q Qq))).
Qed.

Theorem factor_ge delta alpha : bounds_normalisers s delta -> bounds_masses s alpha ->
  8 * INR #|sample s| / beta s <= 4 * INR #|sample s| / (beta s * gamma s) <= factor s delta alpha.
Proof.
move=> Hd Ha. have A := alpha_le alpha Ha. have D := delta_le delta Hd. have [a0 _] := Ha. have [d0 _] := Hd.
have N := sample_size. set n := INR _ in A N *. have G : 0 < Rpower (gamma s) (/ beta s) := exp_pos _.
have IB := Rinv_0_lt_compat _ beta_pos. have IG := Rinv_0_lt_compat _ gam_pos. split.
- have -> : 8 * n / beta s = 4 * n * / beta s * 2 by field; lra.
  have -> : 4 * n / (beta s * gamma s) = 4 * n * / beta s * / gamma s by field; lra.
  apply: Rmult_le_compat_l; first by apply: Rmult_le_pos; lra.
  have -> : 2 = / (1 / 2) by field. apply: Rinv_le_contravar; lra.
- have -> : factor s delta alpha =
    4 * (/ (beta s * gamma s) * / (alpha * (delta * Rpower (gamma s) (/ beta s)))).
  { rewrite /factor Rpower_plus Rpower_1 //. field. lra. }
  have -> : 4 * n / (beta s * gamma s) = 4 * (/ (beta s * gamma s) * n) by field; lra.
  apply: Rmult_le_compat_l; first lra. apply: Rmult_le_compat_l.
  { left; apply: Rinv_0_lt_compat; exact: Rmult_lt_0_compat. }
  rewrite -[n]Rinv_inv. apply: Rinv_le_contravar; first by do 2 apply: Rmult_lt_0_compat => //.
  have P := Rmult_lt_0_compat _ _ d0 G. have := Rmult_le_compat _ _ _ _ (Rlt_le _ _ a0) (Rlt_le _ _ P) A D. lra.
Qed.

Theorem temperature_needed delta alpha : bounds_normalisers s delta -> bounds_masses s alpha ->
  factor s delta alpha < 1 -> 8 * INR #|sample s| < beta s.
Proof.
move=> Hd Ha Hc. have [A B] := factor_ge delta alpha Hd Ha.
have := Rmult_lt_compat_r (beta s) _ _ beta_pos (Rle_lt_trans _ _ _ (Rle_trans _ _ _ A B) Hc).
have -> : 8 * INR #|sample s| / beta s * beta s = 8 * INR #|sample s| by field; lra. lra.
Qed.

Theorem temperature_needed_sharp alpha : bounds_masses s alpha -> sharp_factor s alpha < 1 ->
  2 * INR #|sample s| <= INR #|sample s| / gamma s < beta s.
Proof.
move=> Ha Hc. have A := alpha_le alpha Ha. have [a0 _] := Ha. have N := sample_size. set n := INR _ in A N *.
have IG := Rinv_0_lt_compat _ gam_pos. split.
- rewrite Rmult_comm. apply: Rmult_le_compat_l; first lra.
  have -> : 2 = / (1 / 2) by field. apply: Rinv_le_contravar; lra.
- have B : n <= / alpha by rewrite -[n]Rinv_inv; apply: Rinv_le_contravar.
  have E : sharp_factor s alpha * beta s = / alpha * / gamma s by rewrite /sharp_factor; field; lra.
  have := Rmult_lt_compat_r _ _ _ beta_pos Hc. rewrite E => H.
  have := Rmult_le_compat_r _ _ _ (Rlt_le _ _ IG) B. rewrite /Rdiv. lra.
Qed.
End Paper.
