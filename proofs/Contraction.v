(* The contraction theorem of arXiv 2502.05163 with its constants (Theorem 4.2P): simultaneous best replies contract
   at a temperature that is far above what convergence needs.

   setting               == the paper's data: inputs X, texts Z, two labels, weights rho(x,y) > 0 with sum 1, reference
                            r(z|x,y) (zeros allowed), temperature beta > 0, floor 0 < gamma <= 1/2
   paper_game            == the game with a seed for every pair (x, y) and no real texts; a coercion
   distance, dist        == ||f - h||, the sum of |f - h| over both arguments; of a pair, the sum of the two
   class_Q               == Q: the conditional distributions with q(y|z) >= gamma (two labels: in [gamma, 1 - gamma])
   domain_D, in_DQ       == D: the generators with p >= gamma^(1/beta) r; D x Q
   clip, classifier_reply == T_theta p: the posterior P(y,z) / P(z) clipped to [gamma, 1 - gamma]
   both_reply, two_rounds == T(p, q) = (T_phi q, T_theta p), with T_phi q = generator_reply q (Game.v): both players
                            move at once; T^2
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
   classifier_replyE     == T_theta p is the clipped_posterior of Posterior.v
   nash_fixed            == equilibria are the fixed points
   contraction           == T^2 contracts with c(beta), contraction_sharp: with c'(beta)
   in_box gam q          == every entry of q is in [gam, 1]
   contracts_converges   == T^2 contracts with c -> converges c: the fixed point is the equilibrium of Theorem 1
   theorem_4_2           == c(beta) < 1 -> converges c(beta); theorem_4_2_sharp: the same for c'(beta);
                            theorem_4_2_derived: the same with delta = 1 and alpha from masses_above
   alpha_le, delta_le    == alpha <= 1/|Z| and delta gamma^(1/beta) <= 1, whatever the constants
   factor_ge             == c(beta) >= 4 |Z| / (beta gamma) >= 8 |Z| / beta
   temperature_needed    == c(beta) < 1 -> beta > 8 |Z|; temperature_needed_sharp: c'(beta) < 1 -> beta > |Z|/gamma
                            >= 2 |Z|                                                                              *)
From mathcomp Require Import ssreflect ssrfun ssrbool eqtype ssrnat seq choice fintype bigop.
From Coq Require Import Reals Lra FunctionalExtensionality.
From Coquelicot Require Import Hierarchy Derive AutoDerive.
From Nashguard Require Import Sums Logs Game Replies Smooth Posterior Equilibrium Existence.
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

Definition classifier_reply p : classifier s := fun z y => clip (gamma s) (posterior p z y).

Definition both_reply a := (generator_reply a.2, classifier_reply a.1).

Definition two_rounds a := both_reply (both_reply a).

Definition same a b := (forall i z, a.1 i z = b.1 i z) /\ (forall z y, a.2 z y = b.2 z y).

Definition fixed p q := (forall i z, p i z = generator_reply q i z) /\ (forall z y, q z y = classifier_reply p z y).
End Setting.

Section Constants.
Variable s : setting.

Definition bounds_normalisers (delta : R) :=
  0 < delta /\ forall (q : classifier s) i, class_Q q -> delta <= normaliser 0 ref q i.

Definition bounds_masses (alpha : R) :=
  0 < alpha /\ forall (p : generator s) z, domain_D p -> alpha <= text_mass p z.

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
move=> Hq. rewrite (weight_power beta_pos). have [A B] := power_bounds q z (lab i) Hq. have C := ref_ge0 i z. nra.
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
rewrite -rsum_scal; apply: rsum_le => z. rewrite !(weight_power beta_pos) -Rmult_minus_distr_l Rabs_mult.
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
rewrite !(weight_power beta_pos). set e := exp _.
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
Theorem clip_lipschitz u v : Rabs (clip (gamma s) u - clip (gamma s) v) <= Rabs (u - v).
Proof. rewrite /clip /Rmax /Rmin; repeat case: Rle_dec; split_Rabs; lra. Qed.

Lemma two_gamma : INR #|label s| * gamma s <= 1.
Proof. rewrite card_bool /=. lra. Qed.

Lemma classifier_replyE p : is_generator p -> classifier_reply p = clipped_posterior (gamma s) gam_pos two_gamma p.
Proof.
move=> Hp. do 2 (apply: functional_extensionality => ?). by rewrite clipped_two_labels //; exact: card_bool.
Qed.

Lemma classifier_reply_class p : is_generator p -> class_Q (classifier_reply p).
Proof. move=> Hp. rewrite classifier_replyE //. exact: clipped_member. Qed.

Lemma masses_sum p : is_generator p -> \rsum_(z : text s) text_mass p z = 1.
Proof.
move=> Hp. have := mean_mass p (fun _ _ => 1). rewrite mean_const // /total.
rewrite [X in 1 + X]big1 => [|y _]; last exact: big1. rewrite Rplus_0_r Rmult_1_r => ->.
apply: rsum_ext => z. apply: rsum_ext => y. ring.
Qed.

Lemma mass_lipschitz p p' z :
  \rsum_(y : label s) Rabs (mass p y z - mass p' y z) <= \rsum_(i : seed s) (rho i * Rabs (p i z - p' i z)).
Proof.
rewrite (rsum_by_label (fun i _ => rho i * Rabs (p i z - p' i z))). apply: rsum_le => y. rewrite mass_sub.
apply: Rle_trans (rsum_abs _ _) _. apply: rsum_le => i. case: eqP => _; last by rewrite Rabs_R0; right.
rewrite Rabs_mult Rabs_pos_eq; [by right|left; exact: rho_pos].
Qed.

Theorem posterior_lipschitz_max alpha m p p' : bounds_masses s alpha -> (forall x y, rho_xy s x y <= m) ->
  domain_D p -> domain_D p' -> distance (classifier_reply p) (classifier_reply p') <= 2 * m / alpha * distance p p'.
Proof.
move=> [Ha HM] Hm Dp Dp'.
have M z := Rlt_le_trans _ _ _ Ha (HM p z Dp). have M' z := Rlt_le_trans _ _ _ Ha (HM p' z Dp').
have -> : 2 * m / alpha * distance p p' = 2 / alpha * (m * distance p p') by field; lra.
apply: (Rle_trans _ (2 / alpha * \rsum_(z : text s) \rsum_(y : label s) Rabs (mass p y z - mass p' y z))).
- rewrite /distance -rsum_scal; apply: rsum_le => z.
  apply: (Rle_trans _ (\rsum_(y : label s) Rabs (mass p y z / text_mass p z - mass p' y z / text_mass p' z))).
  + apply: rsum_le => y. rewrite /classifier_reply !posterior_at //. exact: clip_lipschitz.
  + apply: normalise_lipschitz => //; [move=> y; apply: mass_ge0; exact: (proj1 Dp')|exact: HM|exact: M'].
- apply: Rmult_le_compat_l; first by left; apply: Rdiv_lt_0_compat; lra.
  apply: Rle_trans (rsum_le _ _ _ (mass_lipschitz p p')) _. rewrite rsum_swap /distance -rsum_scal. apply: rsum_le => i.
  rewrite -rsum_scal. apply: rsum_le => z. apply: Rmult_le_compat_r; [exact: Rabs_pos|exact: Hm].
Qed.

Theorem posterior_lipschitz alpha p p' : bounds_masses s alpha -> (forall x y, rho_xy s x y <= / INR #|input s|) ->
  domain_D p -> domain_D p' ->
  distance (classifier_reply p) (classifier_reply p') <= 2 / (alpha * INR #|input s|) * distance p p'.
Proof.
move=> Ha Hr Dp Dp'. have N := input_size. have a0 := proj1 Ha.
have -> : 2 / (alpha * size) = 2 * / size / alpha by field; lra.
exact: posterior_lipschitz_max.
Qed.

Theorem uniform_inputs : (forall x, \rsum_(y : bool) rho_xy s x y = / INR #|input s|) ->
  forall x y, rho_xy s x y <= / INR #|input s|.
Proof. move=> H x y. rewrite -(H x). apply: rsum_single_le => b; left; exact: rho_xy_pos. Qed.

Theorem masses_above alpha0 : 0 < alpha0 -> (forall z, alpha0 <= text_mass (@ref s) z) ->
  bounds_masses s (Rpower (gamma s) (/ beta s) * alpha0).
Proof.
move=> H0 H. have G : 0 < Rpower (gamma s) (/ beta s) := exp_pos _.
split=> [|p z [_ D]]; first exact: Rmult_lt_0_compat.
apply: (Rle_trans _ (Rpower (gamma s) (/ beta s) * text_mass ref z)).
{ apply: Rmult_le_compat_l; [lra|exact: H]. }
rewrite -rsum_scal; apply: rsum_le => y. rewrite /mass !Rplus_0_r -rsum_scal; apply: rsum_le => i.
case: eqP => _; last lra. have := Rmult_le_compat_l _ _ _ (Rlt_le _ _ (rho_pos i)) (D i z). lra.
Qed.

(* Two rounds *)
Lemma round_in_DQ a : in_DQ a -> in_DQ (both_reply a).
Proof. move=> [Da Qa]; split; [exact: reply_domain|exact: classifier_reply_class (proj1 Da)]. Qed.

(* The Lipschitz constant of two rounds is the product of the two, in either component. *)
Lemma contracts_product l m : 0 <= l -> 0 <= m ->
  (forall q q', class_Q q -> class_Q q' -> distance (generator_reply q) (generator_reply q') <= l * distance q q') ->
  (forall p p', domain_D p -> domain_D p' ->
    distance (classifier_reply p) (classifier_reply p') <= m * distance p p') ->
  contracts s (l * m).
Proof.
move=> l0 m0 L M [p q] [p' q'] [Dp Qq] [Dp' Qq'].
have A := L _ _ (classifier_reply_class p (proj1 Dp)) (classifier_reply_class p' (proj1 Dp')).
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
apply: contracts_product => //.
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
apply: contracts_product => //.
- left; apply: Rdiv_lt_0_compat; first lra. apply: Rmult_lt_0_compat; lra.
- left; apply: Rdiv_lt_0_compat; first lra. apply: Rmult_lt_0_compat; lra.
- move=> q q'; exact: reply_lipschitz_sharp.
- move=> p p'; exact: posterior_lipschitz.
Qed.

(* Fixed points are equilibria *)
Lemma fixedP p q : fixed p q <-> both_reply (p, q) = (p, q).
Proof.
split=> [[Ep Eq]|[Ep Eq]]; last by rewrite /fixed Ep Eq.
by congr pair; do 2 (apply: functional_extensionality => ?).
Qed.

Theorem nash_fixed alpha p q : bounds_masses s alpha -> class_Q q -> nash class_Q p q <-> fixed p q.
Proof.
move=> [a0 Ha] Qq. split=> [N|/fixedP [Ep Eq]].
- have [Hp [E [_ R]]] := proj1 (nash_fixed_point beta_pos class_Q p q) N. split=> // z y.
  have I := nash_interior beta_pos _ _ _ N. rewrite classifier_replyE //.
  apply: (clipped_unique _ _ _ p q z I) => //. apply: Rlt_le_trans a0 (Ha p z _).
  have -> : p = generator_reply q by do 2 (apply: functional_extensionality => ?). exact: reply_domain.
- have I := generator_reply_interior q. rewrite Ep in I. apply/(nash_fixed_point beta_pos).
  split; first exact: (proj1 I). split=> [i z|]; first by rewrite Ep.
  rewrite -Eq classifier_replyE; [exact: clipped_reply|exact: (proj1 I)].
Qed.

(* Linear convergence, to the equilibrium of Theorem 1. *)
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

Lemma contracts_converges alpha c : bounds_masses s alpha -> 0 <= c -> contracts s c -> converges s c.
Proof.
move=> Ha c0 C. have [p [q N]] := nash_exists_clipped s (gamma s) gam_pos beta_pos two_gamma.
have Qq : class_Q q by case: N => _ [_ []]. have F := proj1 (nash_fixed alpha p q Ha Qq) N. have /fixedP E := F.
have one p' q' : nash class_Q p' q' -> same (p', q') (p, q).
{ move=> N'. have Qq' : class_Q q' by case: N' => _ [_ []].
  have [P _] := nash_unique beta_pos _ _ _ _ _ N' N. have [_ A] := proj1 (nash_fixed alpha p' q' Ha Qq') N'.
  split=> // z y. rewrite /= A (proj2 F). congr (classifier_reply _ _ _).
  by do 2 (apply: functional_extensionality => ?). }
exists p, q. do 2 split=> //. split; first exact: one. split.
{ move=> p' q' Qq' F'. apply: one. exact/(nash_fixed alpha). }
have I : in_DQ (p, q) by split=> //; case: E => <- _; exact: reply_domain.
move=> a n. elim: n a => [|n IH] a Ia; first by rewrite /= Rmult_1_l; right.
rewrite iterSr -[c ^ n.+1]/(c * c ^ n). apply: Rle_trans (IH _ (round_in_DQ _ (round_in_DQ _ Ia))) _.
have := C a (p, q) Ia I. rewrite {2}/two_rounds !E => B. rewrite (Rmult_comm c) Rmult_assoc.
apply: Rmult_le_compat_l => //. exact: pow_le.
Qed.

Theorem theorem_4_2 delta alpha : bounds_normalisers s delta -> bounds_masses s alpha ->
  (forall x y, rho_xy s x y <= / INR #|input s|) -> factor s delta alpha < 1 -> converges s (factor s delta alpha).
Proof.
move=> Hd Ha Hr Hc. apply: (contracts_converges alpha) => //; last exact: contraction.
left; apply: Rdiv_lt_0_compat; first lra. have [d0 _] := Hd. have [a0 _] := Ha.
do 3 apply: Rmult_lt_0_compat => //.
Qed.

Theorem theorem_4_2_sharp alpha : bounds_masses s alpha -> (forall x y, rho_xy s x y <= / INR #|input s|) ->
  sharp_factor s alpha < 1 -> converges s (sharp_factor s alpha).
Proof.
move=> Ha Hr Hc. apply: (contracts_converges alpha) => //; last exact: contraction_sharp.
left; apply: Rdiv_lt_0_compat; first lra. have [a0 _] := Ha. do 2 apply: Rmult_lt_0_compat => //.
Qed.

(* With no constant assumed: delta = 1 and alpha from the reference. *)
Theorem theorem_4_2_derived alpha0 : 0 < alpha0 -> (forall z, alpha0 <= text_mass (@ref s) z) ->
  (forall x y, rho_xy s x y <= / INR #|input s|) -> let c := factor s 1 (Rpower (gamma s) (/ beta s) * alpha0) in
  c < 1 -> converges s c.
Proof. move=> H0 H Hr c; apply: theorem_4_2 => //; [exact: normalisers_above_1|exact: masses_above]. Qed.

(* How much the condition asks for *)
Lemma sample_size : 1 <= INR #|sample s|.
Proof.
have Hr := proj1 reference_domain. have E := masses_sum ref Hr.
rewrite -[INR _]Rmult_1_r -rsum_const -{1}E. apply: rsum_le => z. rewrite -E.
apply: (rsum_single_le _ (text_mass ref)) => t. exact: text_mass_ge0.
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
