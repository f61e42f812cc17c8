(* Pinsker's inequality and the distance in total variation (Corollary A.4 of theory/convergence.md).

   square_le_entropy     == 3 (x - 1)^2 <= (2 x + 4) (x ln x - x + 1) for x >= 0, and square_le_divergence for p / r
   cauchy_schwarz        == d^2 <= w h pointwise gives (sum d)^2 <= (sum w) (sum h)
   jensen_square         == (sum_i rho_i t_i)^2 <= sum_i rho_i t_i^2
   pinsker               == (sum |a - b|)^2 <= 2 KL(a || b), for distributions with a = 0 wherever b = 0
   l1_distance p u i     == sum_z |p_i(z) - u_i(z)|, twice the total variation at seed i
   pinsker_squares       == sum_i rho_i (l1_distance p u i)^2 <= 2 D(p, u), for u interior
   pinsker_average       == (sum_i rho_i l1_distance p u i)^2 <= 2 D(p, u), for u interior
   pinsker_posterior     == sum_z W_u(z) |q_u(. | z) - q_p(. | z)|^2 <= 2 C(u, p), the price of the outdated posterior
     *)
From mathcomp Require Import ssreflect ssrfun ssrbool eqtype ssrnat seq choice fintype bigop.
From Coq Require Import Reals Lra Psatz.
From Coquelicot Require Import Coquelicot.
From Nashguard Require Import Sums Logs Game Replies Smooth Posterior.
Open Scope R_scope.

(* The mean value theorem on the positive numbers, from 1 to either side. *)
Lemma mean_value_from_1 (f f' : R -> R) x : 0 < x -> (forall c, 0 < c -> is_derive f c (f' c)) -> f 1 = 0 ->
  exists c, [/\ 0 < c, 0 <= (c - 1) * (x - 1) & f x = f' c * (x - 1)].
Proof.
move=> Hx D F1. have P c : Rmin 1 x <= c -> 0 < c by apply: Rlt_le_trans; apply: Rmin_pos; lra.
case: (MVT_gen f 1 x f') => [c [H _]|c [H _]|c [[L U] E]].
- by apply: D; apply: P; left.
- apply: derivable_continuous_pt. apply: ex_derive_Reals_0. exists (f' c). apply: D. exact: P.
- exists c. split; [exact: P| |by rewrite -E F1; ring].
  move: L U. rewrite /Rmin /Rmax. case: Rle_dec => _ L U; nra.
Qed.

Lemma slope_sign x : 0 < x -> 0 <= ((x + 1) * ln x - 2 * (x - 1)) * (x - 1).
Proof.
move=> Hx.
case: (mean_value_from_1 (fun t => (t + 1) * ln t - 2 * (t - 1)) (fun c => ln c + / c - 1) x Hx) => [c Hc||c [Hc _ ->]].
- auto_derive; [lra|field; lra].
- rewrite ln_1; ring.
- have := ln_le_sub1 (/ c) (Rinv_0_lt_compat _ Hc). rewrite ln_Rinv // => S.
  rewrite Rmult_assoc. apply: Rmult_le_pos; [lra|exact: Rle_0_sqr].
Qed.

(* The difference of the two sides is 0 at 1, and its derivative has the sign of x - 1. *)
Lemma square_le_entropy x : 0 < x -> 3 * (x - 1) ^ 2 <= (2 * x + 4) * (x * ln x - x + 1).
Proof.
move=> Hx. case: (mean_value_from_1 (fun t => (2 * t + 4) * (t * ln t - t + 1) - 3 * (t - 1) ^ 2)
  (fun c => 4 * ((c + 1) * ln c - 2 * (c - 1))) x Hx) => [c Hc||c [Hc A E]].
- auto_derive; [lra|field; lra].
- rewrite ln_1; ring.
- suff : 0 <= ((c + 1) * ln c - 2 * (c - 1)) * (x - 1) by lra.
  have := slope_sign c Hc. case: (Req_dec c 1) => [->|N]; first by rewrite ln_1; lra.
  set s := _ - _ => S. have := Rmult_le_pos _ _ S A. have : 0 < (c - 1) ^ 2 by nra. nra.
Qed.

Lemma square_le_divergence p r : 0 <= p -> 0 < r -> (p - r) ^ 2 <= (2 * p + 4 * r) / 3 * (p * ln (p / r) - p + r).
Proof.
case=> [Hp|<-] Hr; last by have := Rle_0_sqr r; rewrite /Rsqr; lra.
have := square_le_entropy (p / r) (Rdiv_lt_0_compat _ _ Hp Hr). set l := ln _.
move/(Rmult_le_compat_l (r ^ 2 / 3)).
have -> : r ^ 2 / 3 * (3 * (p / r - 1) ^ 2) = (p - r) ^ 2 by field; lra.
have -> : r ^ 2 / 3 * ((2 * (p / r) + 4) * (p / r * l - p / r + 1)) = (2 * p + 4 * r) / 3 * (p * l - p + r) by field;
  lra.
apply. nra.
Qed.

Section Finite.
Context {T : finType}.
Implicit Types a b d w h : T -> R.

(* The quadratic w t^2 - 2 d t + h is nonnegative term by term, hence in sum: so is its discriminant's complement. *)
Lemma cauchy_schwarz d w h : (forall z, 0 <= w z) -> (forall z, 0 <= h z) -> (forall z, d z ^ 2 <= w z * h z) ->
  (\rsum_(z : T) d z) ^ 2 <= (\rsum_(z : T) w z) * \rsum_(z : T) h z.
Proof.
move=> Hw Hh H. set W := \rsum_(z : T) w z. set D := \rsum_(z : T) d z. set S := \rsum_(z : T) h z.
have W0 : 0 <= W by exact: rsum_ge0.
have Q t : 0 <= t ^ 2 * W - 2 * t * D + S.
{ rewrite /W /D /S -!rsum_scal -rsum_sub -rsum_add. apply: rsum_ge0 => z.
  have A := Hw z; have B := Hh z; have C := H z. case: (Req_dec (w z) 0) => [E|N].
  - have -> : d z = 0 by rewrite E in C; nra. rewrite E. lra.
  - have P : 0 < w z by lra.
    have -> : t ^ 2 * w z - 2 * t * d z + h z = ((t * w z - d z) ^ 2 + (w z * h z - d z ^ 2)) / w z by field.
    apply: Rmult_le_pos; [have := pow2_ge_0 (t * w z - d z); lra|left; exact: Rinv_0_lt_compat]. }
case: (Rle_lt_or_eq_dec _ _ W0) => [P|E].
- have := Q (D / W). move/(Rmult_le_compat_l W _ _ W0).
  have -> : W * ((D / W) ^ 2 * W - 2 * (D / W) * D + S) = W * S - D ^ 2.
  { field. lra. } lra.
- have Z := rsum_eq0 _ w Hw (esym E). have -> : D = 0; last by rewrite -E; lra.
  rewrite /D -[RHS](rsum_0 T). apply: rsum_ext => z. have := H z. rewrite Z. nra.
Qed.

Theorem pinsker a b : (forall z, 0 <= a z) -> (forall z, 0 <= b z) -> (forall z, b z = 0 -> a z = 0) ->
  \rsum_(z : T) a z = 1 -> \rsum_(z : T) b z = 1 ->
  (\rsum_(z : T) Rabs (a z - b z)) ^ 2 <= 2 * \rsum_(z : T) (a z * ln (a z / b z)).
Proof.
move=> Ha Hb Z A1 B1. set w := fun z => (2 * a z + 4 * b z) / 3. set h := fun z => a z * ln (a z / b z) - a z + b z.
have Sw : \rsum_(z : T) w z = 2 by rewrite rsum_scalr rsum_add !rsum_scal A1 B1; field.
have Sh : \rsum_(z : T) h z = \rsum_(z : T) (a z * ln (a z / b z)) by rewrite rsum_add rsum_sub A1 B1; ring.
rewrite -Sw -Sh. apply: cauchy_schwarz => z.
- rewrite /w. have := Ha z; have := Hb z. lra.
- rewrite /h. case: (Hb z) => [P|E]; first by have := gibbs_le (a z) (b z) (Ha z) P; lra.
  rewrite (Z z (esym E)) -E. lra.
- rewrite pow2_abs /w /h. case: (Hb z) => [P|E]; first exact: square_le_divergence.
  rewrite (Z z (esym E)) -E. lra.
Qed.
End Finite.

Section Generators.
Context {g : game}.
Implicit Types p u : generator g.

Definition l1_distance p u i := \rsum_(z : text g) Rabs (p i z - u i z).

Lemma jensen_square (t : seed g -> R) :
  (\rsum_(i : seed g) (rho i * t i)) ^ 2 <= \rsum_(i : seed g) (rho i * t i ^ 2).
Proof.
rewrite -[X in _ <= X]Rmult_1_l -(rho_1 g). apply: cauchy_schwarz => i; have := @rho_pos g i; first lra.
- move=> H. apply: Rmult_le_pos; [lra|exact: pow2_ge_0].
- move=> _. right. ring.
Qed.

Theorem pinsker_squares p u : is_generator p -> interior u ->
  \rsum_(i : seed g) (rho i * l1_distance p u i ^ 2) <= 2 * divergence p u.
Proof.
move=> [P0 [Pr P1]] [[U0 [_ U1]] Up]. rewrite /divergence /avg -rsum_scal. apply: rsum_le => i.
have E a b c : 2 * (a * b) - a * c = a * (2 * b - c) by ring.
have S : forall z, u i z = 0 -> p i z = 0.
{ move=> z Hz. apply: Pr. case: (ref_ge0 i z) => // H. have := Up i z H. lra. }
have := pinsker (p i) (u i) (P0 i) (U0 i) S (P1 i) (U1 i). have := @rho_pos g i. rewrite -/(l1_distance p u i).
set k := \rsum_(z : text g) _. nra.
Qed.

Corollary pinsker_average p u : is_generator p -> interior u ->
  (\rsum_(i : seed g) (rho i * l1_distance p u i)) ^ 2 <= 2 * divergence p u.
Proof. move=> Hp Hu. exact: Rle_trans (jensen_square _) (pinsker_squares p u Hp Hu). Qed.
End Generators.

Theorem pinsker_posterior (g : game) (u p : generator g) : interior u -> interior p ->
  \rsum_(z : text g) (text_mass u z * (\rsum_(y : label g) Rabs (posterior u z y - posterior p z y)) ^ 2) <=
  2 * (payoff u (posterior p) - payoff u (posterior u)).
Proof.
move=> Iu Ip. have Hu := proj1 Iu. have Hp := proj1 Ip.
have [U0 U1] := posterior_conditional u Hu. have [P0 P1] := posterior_conditional p Hp.
have -> : payoff u (posterior p) - payoff u (posterior u) =
  \rsum_(z : text g) \rsum_(y : label g) (mass u y z * (ln (posterior u z y) - ln (posterior p z y))).
{ rewrite /payoff !loss_mean !mean_mass. set d := beta g * _. rewrite -[RHS]Rplus_0_r.
  set a := \rsum_(z : text g) _. set b := \rsum_(z : text g) _. have -> : a - d - (b - d) = a - b + 0 by ring.
  congr (_ + _). rewrite /a /b -rsum_sub. apply: rsum_ext => z. rewrite -rsum_sub. apply: rsum_ext => y. ring. }
rewrite -rsum_scal. apply: rsum_le => z. case: (text_mass_ge0 u z Hu) => [T|E]; last first.
{ rewrite -E Rmult_0_l (rsum_ext _ _ (fun _ => 0)) ?rsum_0; first lra.
  move=> y. have := mass_le u y z Hu. have := mass_ge0 u y z Hu. move=> A B. have -> : mass u y z = 0 by lra. ring. }
have M y : mass u y z = text_mass u z * posterior u z y by rewrite posterior_at //; field; lra.
have L y : posterior p z y = 0 -> posterior u z y = 0.
{ move=> E. rewrite posterior_at //. case: (mass_ge0 u y z Hu) => [Q|<-]; last by rewrite /Rdiv Rmult_0_l.
  have V := live_mass p y z Ip (mass_live u y z Hu Q). have W := mass_le p y z Hp.
  move: E. rewrite posterior_at; last lra. have := Rdiv_lt_0_compat _ _ V (Rlt_le_trans _ _ _ V W). lra. }
have := pinsker _ _ (U0 z) (P0 z) L (U1 z) (P1 z). move/(Rmult_le_compat_l _ _ _ (Rlt_le _ _ T)).
rewrite (rsum_ext _ (fun y => mass u y z * _) (fun y => text_mass u z * (posterior u z y * ln (posterior u z y /
  posterior p z y)))).
- rewrite rsum_scal. lra.
- move=> y. rewrite M. case: (U0 z y) => [A|<-]; last ring.
  have B : 0 < posterior p z y by case: (P0 z y) => // F; have := L y (esym F); lra. rewrite ln_div //. ring.
Qed.
