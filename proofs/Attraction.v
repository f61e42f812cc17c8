(* Local convergence (Theorem B of theory/convergence.md, part 3): every start near the equilibrium, full class.

   log_ratio ps p i z  == ln (p_i(z) / ps_i(z))
   deviation ps p      == the log ratio less its mean under ps: the perturbation of ps that p is
   variance ps p       == its square norm, sum_i rho_i Var (log ratio of seed i) under ps;
     twice D(ps, p) to second order

   small_deviation     == p_i(z) = ps_i(z) (1 + deviation), and posterior_close: ln q_p =
     ln q_ps + posterior_shift, with
                          explicit bounds on the terms of second order
   step_deviation      == the iteration in these coordinates, exactly: only the classifier's reply is not linear
   step_close          == it is linearised ps tau (Local.v) up to 44 / (tau + beta) times the square of the deviation
   attraction_step     == near ps one round multiplies the variance by at most r^2, for any r > m / (tau + beta), where
                          m >= tau and m >= k - tau for a bound k on the response; attraction_run: all rounds
   variance_near       == generators close to ps in every probability have a small variance
   local_convergence   == variance ps (p n) <= r^(2 n) variance ps (p 0) from every start near ps, for every
                          r > max (tau, 1 - tau) / (tau + beta), and D(ps, p n) is at most twice that
   local_stability     == so 2 tau + beta > 1 is enough for convergence at a linear rate                       *)
From mathcomp Require Import ssreflect ssrfun ssrbool eqtype ssrnat seq choice fintype bigop.
From Coq Require Import Reals Lra Psatz.
From Coquelicot Require Import Rcomplements.
From Nashguard Require Import Sums Logs Game Replies Smooth Damped Posterior Equilibrium Local.
Open Scope R_scope.

Lemma exp_quadratic x : x <= 1 / 2 -> exp x <= 1 + x + 2 * x ^ 2.
Proof.
move=> H. have A := exp_ineq1_le (- x). have P := exp_pos x. have Q : exp x * exp (- x) = 1.
{ rewrite -exp_plus Rplus_opp_r. exact: exp_0. }
have B : exp x * (1 - x) <= 1 by nra.
apply: (Rmult_le_reg_r (1 - x)); first lra. apply: Rle_trans B _.
have -> : (1 + x + 2 * x ^ 2) * (1 - x) = 1 + x ^ 2 * (1 - 2 * x) by ring.
have := Rmult_le_pos _ (1 - 2 * x) (pow2_ge_0 x). lra.
Qed.

Lemma ln_quadratic x : - (1 / 2) <= x -> Rabs (ln (1 + x) - x) <= 2 * x ^ 2.
Proof.
move=> H. have A := ln_le_sub1 (1 + x). have P : 0 < 1 + x by lra.
have := ln_le_sub1 (/ (1 + x)) (Rinv_0_lt_compat _ P). rewrite ln_Rinv // => B.
have C : / (1 + x) <= 1 - x + 2 * x ^ 2.
{ apply: (Rmult_le_reg_r (1 + x)) => //. rewrite Rinv_l; last lra.
  have -> : (1 - x + 2 * x ^ 2) * (1 + x) = 1 + x ^ 2 * (1 + 2 * x) by ring.
  have := Rmult_le_pos _ (1 + 2 * x) (pow2_ge_0 x). lra. }
have S := pow2_ge_0 x. apply: Rabs_le. have := A P. split; lra.
Qed.

(* The logarithm of a mass w + d with d of the first order and close to the shift s. *)
Lemma ln_shift w d s ep : 0 < w -> 0 <= ep <= 1 / 4 -> Rabs d <= 2 * ep * w -> Rabs (d - s) <= 3 * ep ^ 2 * w ->
  Rabs (ln (w + d) - ln w - s / w) <= 11 * ep ^ 2.
Proof.
move=> Hw He Hd Hs. have I := Rinv_0_lt_compat _ Hw. set x := d / w.
have X : Rabs x <= 2 * ep.
{ rewrite /x Rabs_div; last lra. rewrite (Rabs_pos_eq w); last lra. apply: (Rmult_le_reg_r w) => //.
  have -> : Rabs d / w * w = Rabs d by field; lra. exact: Hd. }
have Y : Rabs (x - s / w) <= 3 * ep ^ 2.
{ have -> : x - s / w = (d - s) / w by rewrite /x; field; lra. rewrite Rabs_div; last lra.
  rewrite (Rabs_pos_eq w); last lra.
  apply: (Rmult_le_reg_r w) => //. have -> : Rabs (d - s) / w * w = Rabs (d - s) by field; lra. exact: Hs. }
have L : - (1 / 2) <= x by by move/Rabs_le_between: X; lra.
have E : ln (w + d) - ln w = ln (1 + x).
{ rewrite -ln_div; [congr ln; rewrite /x; field; lra| |exact: Hw].
  have : w + d = w * (1 + x) by rewrite /x; field; lra. nra. }
have Q := ln_quadratic x L. have S : x ^ 2 <= 4 * ep ^ 2.
{ rewrite -(pow2_abs x). have := Rabs_pos x. nra. }
have := Rabs_triang (ln (1 + x) - x) (x - s / w). rewrite E.
have -> : ln (1 + x) - x + (x - s / w) = ln (1 + x) - s / w by ring. lra.
Qed.

(* The smallest positive value of a function on a finite type. *)
Lemma least_positive (T : finType) (f : T -> R) : exists m, 0 < m /\ forall t, 0 < f t -> m <= f t.
Proof.
suff [m [P H]] : exists m, 0 < m /\ forall t, t \in enum T -> 0 < f t -> m <= f t.
{ exists m. split=> // t. apply: H. by rewrite mem_enum. }
elim: (enum T) => [|t s [m [P H]]]; first by exists 1; split; [lra|].
case: (Rlt_dec 0 (f t)) => F.
- exists (Rmin m (f t)). split; first exact: Rmin_pos. move=> u.
  rewrite in_cons => /orP [/eqP ->|Hu] Pu; first exact: Rmin_r.
  apply: Rle_trans (H u Hu Pu). exact: Rmin_l.
- exists m. split=> // u. rewrite in_cons => /orP [/eqP ->|Hu] Pu; [lra|exact: H].
Qed.

Lemma least_positive2 (S T : finType) (f : S -> T -> R) : exists m, 0 < m /\ forall s t, 0 < f s t -> m <= f s t.
Proof.
have [m [P H]] := least_positive _ (fun st : S * T => f st.1 st.2). exists m. split=> // s t F. exact: (H (s, t) F).
Qed.

Section Nearby.
Context {g : game}.
Variable ps : generator g.
Hypothesis Is : interior ps.
Implicit Types (p u : generator g) (q : classifier g).

Definition log_ratio p i z := ln (p i z / ps i z).

Definition deviation p : seed g -> text g -> R := fun i z =>
  log_ratio p i z - \rsum_(t : text g) (ps i t * log_ratio p i t).

Definition variance p := inner ps (deviation p) (deviation p).

Let Hs : is_generator ps := proj1 Is.

Lemma interior_support p i z : interior p -> (0 < p i z /\ 0 < ps i z) \/ (p i z = 0 /\ ps i z = 0).
Proof.
move=> [Hp Pp]. case: (ref_ge0 i z) => R; first by left; split; [exact: Pp|exact: (proj2 Is)].
by right; split; [apply: (proj1 (proj2 Hp))|apply: (proj1 (proj2 Hs))].
Qed.

Lemma deviation_centred p : centred ps (deviation p).
Proof.
move=> i. rewrite /deviation. set c := \rsum_(t : text g) (ps i t * log_ratio p i t).
rewrite (rsum_ext _ _ (fun z => ps i z * log_ratio p i z - ps i z * c)); last by move=> z; ring.
rewrite rsum_sub rsum_scalr (proj2 (proj2 Hs)) /c. ring.
Qed.

Lemma density p i z : interior p ->
  p i z = ps i z * exp (deviation p i z) * exp (\rsum_(t : text g) (ps i t * log_ratio p i t)).
Proof.
move=> Ip. case: (interior_support p i z Ip) => [[A B]|[-> ->]]; last ring.
rewrite Rmult_assoc -exp_plus /deviation. have -> a c : a - c + c = a by ring.
rewrite exp_ln; [field; lra|exact: Rdiv_lt_0_compat].
Qed.

Lemma normalised p i : interior p ->
  (\rsum_(z : text g) (ps i z * exp (deviation p i z))) * exp (\rsum_(t : text g) (ps i t * log_ratio p i t)) = 1.
Proof.
move=> Ip. rewrite -rsum_scalr -(proj2 (proj2 (proj1 Ip)) i). apply: rsum_ext => z. by rewrite -density.
Qed.

(* A small deviation is the relative change of the probability, up to its square. *)
Lemma small_deviation p ep : interior p -> 0 <= ep <= 1 / 4 -> (forall i z, 0 < ps i z ->
  Rabs (deviation p i z) <= ep) ->
  forall i z, Rabs (p i z - ps i z) <= 2 * ep * ps i z /\ Rabs (p i z - ps i z - ps i z * deviation p i z) <= 3 * ep ^
    2 * ps i z.
Proof.
move=> Ip He D i z. set c := \rsum_(t : text g) (ps i t * log_ratio p i t).
have E t := density p i t Ip. rewrite -/c in E. have EN := normalised p i Ip. rewrite -/c in EN.
set N := \rsum_(t : text g) (ps i t * exp (deviation p i t)) in EN.
have S t : ps i t * deviation p i t ^ 2 <= ps i t * ep ^ 2.
{ case: (interior_support p i t Ip) => [[A B]|[_ ->]]; last lra. apply: Rmult_le_compat_l; first lra.
  rewrite -(pow2_abs (deviation p i t)). have := D i t B. have := Rabs_pos (deviation p i t). nra. }
have B t : 0 < ps i t -> - ep <= deviation p i t <= ep by move=> P; have := D i t P => /Rabs_le_between.
have M1 c1 : \rsum_(t : text g) (ps i t * c1 + ps i t * deviation p i t) = c1.
{ rewrite rsum_add rsum_scalr deviation_centred (proj2 (proj2 Hs)). ring. }
have N1 : 1 <= N.
{ rewrite -[X in X <= _](M1 1). apply: rsum_le => t. have := exp_ineq1_le (deviation p i t). have := proj1 Hs i t.
  nra. }
have N2 : N <= 1 + 2 * ep ^ 2.
{ rewrite -[X in _ <= X](M1 (1 + 2 * ep ^ 2)). apply: rsum_le => t.
  case: (interior_support p i t Ip) => [[_ P]|[_ ->]]; last lra.
  have := exp_quadratic (deviation p i t). have := B t P. have := S t. move=> U V W.
  have {}W := Rmult_le_compat_l _ _ _ (Rlt_le _ _ P) (W ltac:(lra)). lra. }
have P1 := exp_pos c. have e0 := pow2_ge_0 ep. have K1 : exp c <= 1 by nra.
have K2 : 1 - 2 * ep ^ 2 <= exp c.
{ have : 1 <= (1 + 2 * ep ^ 2) * exp c by rewrite -EN; apply: Rmult_le_compat_r; lra. nra. }
case: (interior_support p i z Ip) => [[_ P]|[-> ->]]; last first.
{ have -> : 0 - 0 - 0 * deviation p i z = 0 by ring. rewrite Rminus_0_r Rabs_R0. lra. }
have Bz := B z P. have Dz := D i z P. rewrite E. set x := deviation p i z in Bz Dz *.
have X2 : x ^ 2 <= ep ^ 2 by nra.
have E1 := exp_ineq1_le x. have E2 := exp_quadratic x ltac:(lra).
set v := exp x * exp c - 1. have U : v <= x + 2 * ep ^ 2 by rewrite /v; have := exp_pos x; nra.
have L : x - 3 * ep ^ 2 <= v.
{ have : (1 + x) * (1 - 2 * ep ^ 2) <= exp x * exp c by apply: Rmult_le_compat => //; nra. rewrite /v. nra. }
have e2 : 3 * ep ^ 2 <= ep by nra.
have -> : ps i z * exp x * exp c - ps i z = v * ps i z by rewrite /v; ring.
have -> : v * ps i z - ps i z * x = (v - x) * ps i z by ring.
rewrite !Rabs_mult (Rabs_pos_eq (ps i z)); last lra.
split; apply: Rmult_le_compat_r; try lra; apply: Rabs_le; lra.
Qed.

Lemma mass_sum_le (a : seed g -> R) c y z : 0 <= c -> (forall i, Rabs (a i) <= c * ps i z) ->
  Rabs (\rsum_(i : seed g) (if lab i == y then rho i * a i else 0)) <= c * mass ps y z.
Proof.
move=> Hc H. apply: Rle_trans (rsum_abs _ _) _. rewrite /mass Rmult_plus_distr_l -rsum_scal.
apply: (Rle_trans _ (\rsum_(i : seed g) (c * (if lab i == y then rho i * ps i z else 0)))).
- apply: rsum_le => i. case: eqP => _; last by rewrite Rabs_R0; lra.
  have R := rho_pos i. rewrite Rabs_mult (Rabs_pos_eq (rho i)); last lra.
  have := Rmult_le_compat_l _ _ _ (Rlt_le _ _ R) (H i). lra.
- have := Rmult_le_pos _ _ Hc (anchor_ge0 y z). lra.
Qed.

Lemma mass_close p ep y z : interior p -> 0 <= ep <= 1 / 4 -> (forall i z, 0 < ps i z ->
  Rabs (deviation p i z) <= ep) ->
  Rabs (mass p y z - mass ps y z) <= 2 * ep * mass ps y z /\
  Rabs (mass p y z - mass ps y z - mass_shift ps (deviation p) y z) <= 3 * ep ^ 2 * mass ps y z.
Proof.
move=> Ip He D. have C := small_deviation p ep Ip He D.
have E : mass p y z - mass ps y z = \rsum_(i : seed g) (if lab i == y then rho i * (p i z - ps i z) else 0).
{ rewrite /mass. set a := \rsum_(i : seed g) _. set b := \rsum_(i : seed g) _.
  have -> : a + anchor y z - (b + anchor y z) = a - b by ring. rewrite /a /b -rsum_sub. apply: rsum_ext => i.
  case: eqP => _; ring. }
split.
- rewrite E. apply: mass_sum_le; [lra|move=> i; exact: (proj1 (C i z))].
- have -> : mass p y z - mass ps y z - mass_shift ps (deviation p) y z =
    \rsum_(i : seed g) (if lab i == y then rho i * (p i z - ps i z - ps i z * deviation p i z) else 0).
  { rewrite E /mass_shift -rsum_sub. apply: rsum_ext => i. case: eqP => _; ring. }
  apply: mass_sum_le; [have := pow2_ge_0 ep; lra|move=> i; exact: (proj2 (C i z))].
Qed.

Lemma posterior_close p ep y z : interior p -> 0 <= ep <= 1 / 4 -> (forall i z, 0 < ps i z ->
  Rabs (deviation p i z) <= ep) ->
  0 < mass ps y z -> 0 < mass p y z ->
  Rabs (ln (posterior p z y) - ln (posterior ps z y) - posterior_shift ps (deviation p) y z) <= 22 * ep ^ 2.
Proof.
move=> Ip He D M Mp. have Hp := proj1 Ip.
have T := Rlt_le_trans _ _ _ M (mass_le ps y z Hs). have Tp := Rlt_le_trans _ _ _ Mp (mass_le p y z Hp).
rewrite !posterior_at // !ln_div // /posterior_shift.
have C y' := mass_close p ep y' z Ip He D.
have A := ln_shift _ _ _ _ M He (proj1 (C y)) (proj2 (C y)).
set b := \rsum_(y : label g) mass_shift ps (deviation p) y z.
have B1 : Rabs (text_mass p z - text_mass ps z) <= 2 * ep * text_mass ps z.
{ rewrite /text_mass -rsum_sub -rsum_scal. apply: Rle_trans (rsum_abs _ _) _. apply: rsum_le => y'.
  exact: (proj1 (C y')). }
have B2 : Rabs (text_mass p z - text_mass ps z - b) <= 3 * ep ^ 2 * text_mass ps z.
{ rewrite /b /text_mass -!rsum_sub -rsum_scal. apply: Rle_trans (rsum_abs _ _) _. apply: rsum_le => y'.
  exact: (proj2 (C y')). }
have B := ln_shift _ _ _ _ T He B1 B2. move: A B.
have -> a c : a + (c - a) = c by ring. have -> a c : a + (c - a) = c by ring.
set u := _ - _ - _. set v := _ - _ - _. move=> A B. have := Rabs_triang u (- v). rewrite Rabs_Ropp.
have <- : u + - v = ln (mass p y z) - ln (text_mass p z) - (ln (mass ps y z) - ln (text_mass ps z)) -
  (mass_shift ps (deviation p) y z / mass ps y z - b / text_mass ps z) by rewrite /u /v; ring.
lra.
Qed.

Lemma variance_ext p u : (forall i z, p i z = u i z) -> variance p = variance u.
Proof.
move=> E. have D i z : deviation p i z = deviation u i z.
{ rewrite /deviation /log_ratio E. congr (_ - _). apply: rsum_ext => t. by rewrite E. }
apply: avg_ext => i z. by rewrite D.
Qed.

Lemma variance_ge0 p : 0 <= variance p.
Proof. exact: inner_ge0. Qed.

Lemma deviation_variance p i z : rho i * ps i z * deviation p i z ^ 2 <= variance p.
Proof.
have P j t : 0 <= ps j t * (deviation p j t * deviation p j t).
{ apply: Rmult_le_pos; [exact: (proj1 Hs)|exact: Rle_0_sqr]. }
have Q j : 0 <= rho j * \rsum_(t : text g) (ps j t * (deviation p j t * deviation p j t)).
{ apply: Rmult_le_pos; [left; exact: rho_pos|exact: rsum_ge0]. }
apply: Rle_trans (rsum_single_le _ _ i Q).
have -> : rho i * ps i z * deviation p i z ^ 2 = rho i * (ps i z * (deviation p i z * deviation p i z)) by ring.
apply: Rmult_le_compat_l; first by left; exact: rho_pos.
exact: (rsum_single_le _ (fun t => ps i t * (deviation p i t * deviation p i t))).
Qed.

Lemma small_variance p w : 0 < w -> (forall i z, 0 < rho i * ps i z -> w <= rho i * ps i z) -> variance p <= w / 16 ->
  exists ep, [/\ 0 <= ep <= 1 / 4, ep ^ 2 = variance p / w & forall i z, 0 < ps i z -> Rabs (deviation p i z) <= ep].
Proof.
move=> w0 Hw HD. set D := variance p in HD *. have D0 : 0 <= D by exact: variance_ge0.
have Dw : 0 <= D / w by apply: Rmult_le_pos => //; left; exact: Rinv_0_lt_compat.
have ep2 : sqrt (D / w) ^ 2 = D / w by rewrite /= Rmult_1_r sqrt_sqrt.
have ep0 := sqrt_pos (D / w). set ep := sqrt _ in ep2 ep0. have Dw' : D / w * w = D by field; lra.
exists ep. split=> [|//|i z P].
- split=> //. have : ep ^ 2 <= 1 / 16 by rewrite ep2; apply: (Rmult_le_reg_r w) => //; lra. nra.
- have W := Hw i z (Rmult_lt_0_compat _ _ (rho_pos i) P).
  have V := deviation_variance p i z. rewrite -/D in V. have S := pow2_ge_0 (deviation p i z).
  have T : deviation p i z ^ 2 <= ep ^ 2.
  { rewrite ep2. apply: (Rmult_le_reg_r w) => //. rewrite Dw'. have := Rmult_le_compat_r _ _ _ S W. lra. }
  rewrite -(pow2_abs (deviation p i z)) in T. have := Rabs_pos (deviation p i z). nra.
Qed.

Lemma divergence_variance p : interior p -> (forall i z, 0 < ps i z -> Rabs (deviation p i z) <= 1 / 2) ->
  divergence ps p <= 2 * variance p.
Proof.
move=> Ip H. rewrite /variance /inner -avg_scal. apply: rsum_le => i.
apply: Rmult_le_compat_l; first by left; exact: rho_pos.
set c := \rsum_(t : text g) (ps i t * log_ratio p i t). have EN := normalised p i Ip. rewrite -/c in EN.
set M := \rsum_(z : text g) (ps i z * exp (deviation p i z)) in EN.
have -> : \rsum_(z : text g) (ps i z * ln (ps i z / p i z)) = - c.
{ have -> : - c = -1 * c by ring. rewrite /c -rsum_scal. apply: rsum_ext => z.
  case: (interior_support p i z Ip) => [[A B]|[_ ->]]; [rewrite /log_ratio !ln_div //; ring|ring]. }
have S : M <= 1 + \rsum_(z : text g) (2 * (ps i z * (deviation p i z * deviation p i z))).
{ have -> : 1 + \rsum_(z : text g) (2 * (ps i z * (deviation p i z * deviation p i z))) =
    \rsum_(z : text g) (ps i z * (1 + deviation p i z + 2 * deviation p i z ^ 2)).
  { transitivity (\rsum_(z : text g)
      (ps i z + ps i z * deviation p i z + 2 * (ps i z * (deviation p i z * deviation p i z)))).
    - rewrite !rsum_add (proj2 (proj2 Hs)) deviation_centred. ring.
    - apply: rsum_ext => z. ring. }
  apply: rsum_le => z. case: (proj1 Hs i z) => [P|<-]; last lra. apply: Rmult_le_compat_l; first lra.
  apply: exp_quadratic. have := H i z P => /Rabs_le_between. lra. }
have P : 0 < M by have := exp_pos c; nra.
have L := ln_le_sub1 M P. have -> : - c = ln M; last lra.
have -> : M = exp (- c); last by rewrite ln_exp. rewrite exp_Ropp. field_simplify_eq; [exact: EN|]. have := exp_pos c.
lra.
Qed.
End Nearby.

Section Step.
Context {g : game}.
Variables (ps : generator g) (qs : classifier g) (tau : R).
Hypotheses (beta_pos : 0 < beta g) (tau_ge0 : 0 <= tau) (N : nash (full g) ps qs).
Implicit Types (p u : generator g) (q : classifier g).

Let Is : interior ps := nash_interior beta_pos _ _ _ N.
Let Hs : is_generator ps := proj1 Is.

Lemma step_reply p q i z : interior p -> reply (full g) p q -> step tau p q i z = step tau p (posterior p) i z.
Proof.
move=> Ip R. have W j t : weight tau p q j t = weight tau p (posterior p) j t.
{ rewrite /weight. case: Rlt_dec => //= H.
  have L : live (lab j) t by left; exists j. by rewrite (reply_live _ _ _ _ _ _ Ip R (posterior_reply p Ip) L). }
rewrite /step W. congr (_ / _). apply: rsum_ext => t. exact: W.
Qed.

Lemma ln_step p q i z : 0 < ref i z ->
  ln (step tau p q i z) = (tau * ln (p i z) + beta g * ln (ref i z) - ln (q z (lab i))) / (tau + beta g) -
    ln (normaliser tau p q i).
Proof.
move=> H. rewrite /step ln_div; [|exact: weight_pos|exact: normaliser_pos]. rewrite /weight.
by case: Rlt_dec => //= ?; rewrite ln_exp.
Qed.

Let drift p i z := ln (posterior p z (lab i)) - ln (posterior ps z (lab i)).

Lemma step_deviation p i z : interior p -> 0 < ps i z -> deviation ps (step tau p (posterior p)) i z =
  (tau * deviation ps p i z - (drift p i z - \rsum_(t : text g) (ps i t * drift p i t))) / (tau + beta g).
Proof.
move=> Ip P. set u := step tau p (posterior p). have Iu := step_interior tau p (posterior p).
set k := ln (normaliser tau p (posterior p) i) - ln (normaliser tau ps (posterior ps) i).
have L t : 0 < ps i t -> log_ratio ps u i t = (tau * log_ratio ps p i t - drift p i t) / (tau + beta g) - k.
{ move=> Pt. have R : 0 < ref i t by case: (generator_support ps i t Hs) => [E|[]] //; lra.
  have S := nash_step beta_pos (full g) ps (posterior ps) tau i t tau_ge0 (nash_posterior beta_pos ps qs N).
  rewrite /log_ratio ln_div //; last exact: (proj2 Iu). rewrite ln_div //; last exact: (proj2 Ip).
  rewrite -[X in _ - ln X]S !ln_step // /drift /k. field. lra. }
have E : \rsum_(t : text g) (ps i t * log_ratio ps u i t) =
  (tau * (\rsum_(t : text g) (ps i t * log_ratio ps p i t)) - \rsum_(t : text g) (ps i t * drift p i t)) / (tau + beta
    g) - k.
{ rewrite (rsum_ext _ _ (fun t => / (tau + beta g) * (tau * (ps i t * log_ratio ps p i t) - ps i t * drift p i t) - ps
    i t * k)).
  - rewrite rsum_sub rsum_scal rsum_sub rsum_scal rsum_scalr (proj2 (proj2 Hs)). rewrite /Rdiv; ring.
  - move=> t. case: (proj1 Hs i t) => [Q|<-]; [rewrite L //; field; lra|ring]. }
rewrite /deviation E L //. field. lra.
Qed.

Lemma step_close p ep i z : interior p -> 0 <= ep <= 1 / 4 ->
  (forall i z, 0 < ps i z -> Rabs (deviation ps p i z) <= ep) -> 0 < ps i z ->
  Rabs (deviation ps (step tau p (posterior p)) i z - linearised ps tau (deviation ps p) i z) <= 44 / (tau + beta g) *
    ep ^ 2.
Proof.
move=> Ip He D P. rewrite step_deviation // /linearised /response /centre.
have M (w : generator g) t : interior w -> 0 < ps i t -> 0 < mass w (lab i) t.
{ move=> Iw Q. apply: live_mass => //. left. exists i. split=> //.
  by case: (generator_support ps i t Hs) => [E|[]] //; lra. }
have C t : 0 < ps i t -> Rabs (drift p i t - posterior_shift ps (deviation ps p) (lab i) t) <= 22 * ep ^ 2.
{ move=> Q. apply: posterior_close => //; exact: M. }
set s := posterior_shift ps (deviation ps p) in C *. have e0 := pow2_ge_0 ep.
have A : Rabs (\rsum_(t : text g) (ps i t * (drift p i t - s (lab i) t))) <= 22 * ep ^ 2.
{ apply: Rle_trans (rsum_abs _ _) _. apply: (Rle_trans _ (\rsum_(t : text g) (ps i t * (22 * ep ^ 2)))).
  - apply: rsum_le => t. case: (proj1 Hs i t) => [Q|<-]; last by rewrite !Rmult_0_l Rabs_R0; lra.
    rewrite Rabs_mult (Rabs_pos_eq (ps i t)); last lra. apply: Rmult_le_compat_l; [lra|exact: C].
  - rewrite rsum_scalr (proj2 (proj2 Hs)). lra. }
have E : \rsum_(t : text g) (ps i t * (drift p i t - s (lab i) t)) =
  \rsum_(t : text g) (ps i t * drift p i t) - \rsum_(t : text g) (ps i t * s (lab i) t).
{ rewrite -rsum_sub. apply: rsum_ext => t. ring. }
rewrite E in A. set x := \rsum_(t : text g) (ps i t * drift p i t) in A *.
set y := \rsum_(t : text g) (ps i t * s (lab i) t) in A *. have B := C z P.
have -> : (tau * deviation ps p i z - (drift p i z - x)) / (tau + beta g) - (tau * deviation ps p i z - (s (lab i) z -
  y)) /
  (tau + beta g) = ((x - y) - (drift p i z - s (lab i) z)) / (tau + beta g) by field; lra.
rewrite Rabs_div; last lra. rewrite (Rabs_pos_eq (tau + beta g)); last lra.
have T := Rabs_triang (x - y) (- (drift p i z - s (lab i) z)). rewrite Rabs_Ropp in T.
have -> : 44 / (tau + beta g) * ep ^ 2 = (44 * ep ^ 2) / (tau + beta g) by field; lra.
apply: Rmult_le_compat_r; first by left; apply: Rinv_0_lt_compat; lra. apply: (Rle_trans _ _ _ T). lra.
Qed.
End Step.

Section Attraction.
Context {g : game}.
Variables (ps : generator g) (qs : classifier g) (tau k m : R).
Hypotheses (beta_pos : 0 < beta g) (tau_ge0 : 0 <= tau) (N : nash (full g) ps qs).
Hypotheses (m_pos : 0 < m) (tau_m : tau <= m) (k_m : k - tau <= m).
Hypothesis response_k : forall f, centred ps f -> inner ps f (response ps f) <= k * inner ps f f.
Implicit Types (p u : generator g) (q : classifier g).

Let Is : interior ps := nash_interior beta_pos _ _ _ N.
Let Hs : is_generator ps := proj1 Is.

(* The linear part contracts by m / (tau + beta); the rest is of second order. *)
Theorem attraction_step r : m / (tau + beta g) < r -> exists d, 0 < d /\ forall p q, interior p -> reply (full g) p q ->
  variance ps p <= d -> variance ps (step tau p q) <= r ^ 2 * variance ps p /\ divergence ps p <= 2 * variance ps p.
Proof.
have k0 : 0 < tau + beta g by lra. set a := m / (tau + beta g) => Hr.
have a0 : 0 < a by apply: Rdiv_lt_0_compat.
have [w [w0 Hw]] := least_positive2 _ _ (fun i z => rho i * ps i z).
set s := (r ^ 2 - a ^ 2) / 2. have s0 : 0 < s by rewrite /s; nra.
set eta := s / a ^ 2. have eta0 : 0 < eta by apply: Rdiv_lt_0_compat => //; nra.
set c := 44 / (tau + beta g). have c0 : 0 < c by apply: Rdiv_lt_0_compat; lra.
set K := (1 + / eta) * (c / w) ^ 2. have I := Rinv_0_lt_compat _ eta0.
have K0 : 0 < K by apply: Rmult_lt_0_compat; [lra|apply: pow_lt; exact: Rdiv_lt_0_compat].
exists (Rmin (w / 16) (s / K)). split; first by apply: Rmin_pos; [lra|exact: Rdiv_lt_0_compat].
move=> p q Ip Rq HD. rewrite (variance_ext ps _ (step tau p (posterior p))); last first.
{ move=> i z. exact: (step_reply tau p q i z Ip Rq). }
have D0 := variance_ge0 ps Is p. have D1 := Rle_trans _ _ _ HD (Rmin_l _ _). have D2 := Rle_trans _ _ _ HD (Rmin_r _ _).
have [ep [ep1 ep2 small]] := small_variance ps Is p w w0 Hw D1. set D := variance ps p in D0 D1 D2 ep2 *.
split; last first.
{ apply: divergence_variance => // i z P. have := small i z P. lra. }
set u := step tau p (posterior p). set l := linearised ps tau (deviation ps p).
set B := c * ep ^ 2. have close i z : 0 < ps i z -> Rabs (deviation ps u i z - l i z) <= B.
{ move=> P. exact: (step_close ps qs tau beta_pos tau_ge0 N p ep i z Ip ep1 small P). }
have A : variance ps u <= (1 + eta) * inner ps l l + (1 + / eta) * B ^ 2.
{ apply: (Rle_trans _ (avg (fun i z => (1 + eta) * (ps i z * (l i z * l i z)) + (1 + / eta) * B ^ 2 * ps i z))).
  - apply: avg_le => i z. case: (proj1 Hs i z) => [P|<-]; last lra.
    have C := close i z P. set x := deviation ps u i z in C *. set y := l i z in C *.
    have X : (x - y) ^ 2 <= B ^ 2.
    { rewrite -(pow2_abs (x - y)). have := Rabs_pos (x - y). nra. }
    have Y : x * x <= (1 + eta) * (y * y) + (1 + / eta) * (x - y) ^ 2.
    { have S : 0 <= / eta * (eta * y - (x - y)) ^ 2 by apply: Rmult_le_pos; [lra|exact: pow2_ge_0].
      have S' : / eta * (eta * y - (x - y)) ^ 2 = eta * (y * y) - 2 * (y * (x - y)) + / eta * (x - y) ^ 2 by field; lra.
      rewrite S' in S. lra. }
    have Z := Rmult_le_compat_l (1 + / eta) _ _ ltac:(lra) X.
    have := Rmult_le_compat_l _ _ _ (Rlt_le _ _ P) (Rle_trans _ _ _ Y (Rplus_le_compat_l _ _ _ Z)). lra.
  - rewrite avg_add !avg_scal (avg_generator ps Hs) /inner. lra. }
have L := linearised_contracts ps Hs k m tau _ (deviation_centred ps Is p) k0 m_pos tau_m k_m response_k.
rewrite -/l -/a -/(variance ps p) -/D in L. apply: (Rle_trans _ _ _ A).
have B2 : (1 + / eta) * B ^ 2 = K * D * D.
{ rewrite /B ep2 /K. field. split; lra. }
have T := Rmult_le_compat_l (1 + eta) _ _ ltac:(lra) L.
have U : (1 + eta) * (a ^ 2 * D) = (a ^ 2 + s) * D by rewrite /eta; field; lra.
have V : K * D <= s.
{ have := Rmult_le_compat_l _ _ _ (Rlt_le _ _ K0) D2. have -> // : K * (s / K) = s by field; lra. }
have W := Rmult_le_compat_r _ _ _ D0 V. rewrite B2. have S : r ^ 2 = a ^ 2 + 2 * s by rewrite /s; field. rewrite S. lra.
Qed.

Theorem attraction_run r : m / (tau + beta g) < r -> r <= 1 -> exists d, 0 < d /\
  forall (p : nat -> generator g) (q : nat -> classifier g), run (full g) tau p q -> variance ps (p 0%nat) <= d ->
  forall n, variance ps (p n) <= (r ^ 2) ^ n * variance ps (p 0%nat) /\ divergence ps (p n) <= 2 * variance ps (p n).
Proof.
move=> Hr r1. have [d [d0 H]] := attraction_step r Hr. exists d. split=> // p q HR H0.
have r0 : 0 < r by apply: Rlt_trans Hr; apply: Rdiv_lt_0_compat; lra.
have q1 : 0 <= r ^ 2 <= 1 by split; [exact: pow2_ge_0|nra].
have Sn n := H (p n) (q n) (run_interior _ _ _ _ HR n) (run_reply _ _ _ _ HR n).
suff B n : variance ps (p n) <= (r ^ 2) ^ n * variance ps (p 0%nat) /\ variance ps (p n) <= d.
{ move=> n. have [A B'] := B n. split=> //. exact: (proj2 (Sn n B')). }
elim: n => [|n [IH1 IH2]]; first by rewrite /= Rmult_1_l; split; [lra|].
have S := proj1 (Sn n IH2). rewrite -(proj2 (proj2 HR n)) in S.
have V := variance_ge0 ps Is (p n). have T := Rmult_le_compat_l _ _ _ (proj1 q1) IH1. split.
- rewrite -tech_pow_Rmult Rmult_assoc. lra.
- have := Rmult_le_compat_r _ _ _ V (proj2 q1). lra.
Qed.
End Attraction.

(* Starts near the equilibrium have a small variance. *)
Lemma variance_near (g : game) (ps : generator g) v : interior ps -> 0 < v -> exists d, 0 < d /\ forall p, interior p ->
  (forall i z, Rabs (p i z - ps i z) <= d) -> variance ps p <= v.
Proof.
move=> Is v0. have Hs := proj1 Is. have [w [w0 Hw]] := least_positive2 _ _ (fun i z => ps i z).
set t := Rmin (1 / 2) (v / 8). have t0 : 0 < t by apply: Rmin_pos; lra.
have t1 : t <= 1 / 2 by exact: Rmin_l. have t2 : t <= v / 8 by exact: Rmin_r.
exists (w * t). split; first exact: Rmult_lt_0_compat. move=> p Ip H.
have L i z : 0 < ps i z -> Rabs (log_ratio ps p i z) <= 2 * t.
{ move=> P. have W := Hw i z P. have I := Rinv_0_lt_compat _ P. set x := (p i z - ps i z) / ps i z.
  have X : Rabs x <= t.
  { rewrite /x Rabs_div; last lra. rewrite (Rabs_pos_eq (ps i z)); last lra. apply: (Rmult_le_reg_r (ps i z)) => //.
    have -> : Rabs (p i z - ps i z) / ps i z * ps i z = Rabs (p i z - ps i z) by field; lra.
    apply: Rle_trans (H i z) _. nra. }
  have E : log_ratio ps p i z = ln (1 + x) by rewrite /log_ratio; congr ln; rewrite /x; field; lra.
  have B : - (1 / 2) <= x by move/Rabs_le_between: X; lra.
  have Q := ln_quadratic x B. have S : 2 * x ^ 2 <= Rabs x by rewrite -(pow2_abs x); have := Rabs_pos x; nra.
  have := Rabs_triang (ln (1 + x) - x) x. rewrite E. have -> : ln (1 + x) - x + x = ln (1 + x) by ring. lra. }
have D i z : 0 < ps i z -> Rabs (deviation ps p i z) <= 4 * t.
{ move=> P. have A : Rabs (\rsum_(u : text g) (ps i u * log_ratio ps p i u)) <= 2 * t.
  { apply: Rle_trans (rsum_abs _ _) _. rewrite -[X in _ <= X]Rmult_1_l -(proj2 (proj2 Hs) i) -rsum_scalr.
    apply: rsum_le => u. case: (proj1 Hs i u) => [Q|<-]; last by rewrite !Rmult_0_l Rabs_R0; lra.
    rewrite Rabs_mult (Rabs_pos_eq (ps i u)); last lra. apply: Rmult_le_compat_l; [lra|exact: L]. }
  have := Rabs_triang (log_ratio ps p i z) (- \rsum_(u : text g) (ps i u * log_ratio ps p i u)).
  rewrite Rabs_Ropp /deviation.
  have := L i z P. rewrite /Rminus. lra. }
apply: (Rle_trans _ (avg (fun i z => (4 * t) ^ 2 * ps i z))).
- apply: avg_le => i z. case: (proj1 Hs i z) => [P|<-]; last lra. rewrite Rmult_comm.
  apply: Rmult_le_compat_r; first lra.
  have := D i z P. have := Rabs_pos (deviation ps p i z). have := pow2_abs (deviation ps p i z). nra.
- rewrite avg_scal (avg_generator ps Hs). nra.
Qed.

Section Convergence.
Context {g : game}.
Variables (ps : generator g) (qs : classifier g) (tau : R).
Hypotheses (beta_pos : 0 < beta g) (tau_ge0 : 0 <= tau) (N : nash (full g) ps qs).

(* Theorem B, part 3: from every start near the equilibrium, at any rate above max (tau, 1 - tau) / (tau + beta). *)
Theorem local_convergence r : Rmax tau (1 - tau) / (tau + beta g) < r <= 1 -> exists d, 0 < d /\
  forall (p : nat -> generator g) (q : nat -> classifier g), run (full g) tau p q ->
  (forall i z, Rabs (p 0%nat i z - ps i z) <= d) ->
  forall n, divergence ps (p n) <= 2 * variance ps (p n) <= 2 * ((r ^ 2) ^ n * variance ps (p 0%nat)).
Proof.
move=> [Hr r1]. have Is := nash_interior beta_pos _ _ _ N.
have A := Rmax_l tau (1 - tau). have B := Rmax_r tau (1 - tau). have m0 : 0 < Rmax tau (1 - tau) by lra.
have R f : centred ps f -> inner ps f (response ps f) <= 1 * inner ps f f.
{ rewrite Rmult_1_l. exact: (response_le1 ps (proj1 Is)). }
have [v [v0 H]] := attraction_run ps qs tau 1 _ beta_pos tau_ge0 N m0 A B R r Hr r1.
have [d [d0 D]] := variance_near g ps v Is v0. exists d. split=> // p q HR C n.
have [X Y] := H p q HR (D _ (run_interior _ _ _ _ HR 0%nat) C) n. lra.
Qed.

Corollary local_stability : 1 < 2 * tau + beta g -> exists r d, 0 < r < 1 /\ 0 < d /\
  forall (p : nat -> generator g) (q : nat -> classifier g), run (full g) tau p q ->
  (forall i z, Rabs (p 0%nat i z - ps i z) <= d) ->
  forall n, divergence ps (p n) <= 2 * ((r ^ 2) ^ n * variance ps (p 0%nat)).
Proof.
move=> H. have k0 : 0 < tau + beta g by lra. have L := proj2 (rate_lt1 tau (beta g) beta_pos k0) H.
have A := Rmax_l tau (1 - tau). have B := Rmax_r tau (1 - tau).
have P : 0 < Rmax tau (1 - tau) / (tau + beta g) by apply: Rdiv_lt_0_compat; lra.
set a := _ / _ in L P. have [|d [d0 D]] := local_convergence ((a + 1) / 2); first by rewrite -/a; lra.
exists ((a + 1) / 2), d. split; first lra. split=> // p q HR C n. have := D p q HR C n. lra.
Qed.
End Convergence.
