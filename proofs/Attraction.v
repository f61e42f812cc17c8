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
{ have -> : x - s / w = (d - s) / w by rewrite /x; field; lra. rewrite Rabs_div; last lra. rewrite (Rabs_pos_eq w); last lra.
  apply: (Rmult_le_reg_r w) => //. have -> : Rabs (d - s) / w * w = Rabs (d - s) by field; lra. exact: Hs. }
have L : - (1 / 2) <= x by by move/Rabs_le_between: X; lra.
have E : ln (w + d) - ln w = ln (1 + x).
{ rewrite -ln_div; [congr ln; rewrite /x; field; lra| |exact: Hw]. have : w + d = w * (1 + x) by rewrite /x; field; lra. nra. }
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
- exists (Rmin m (f t)). split; first exact: Rmin_pos. move=> u. rewrite in_cons => /orP [/eqP ->|Hu] Pu; first exact: Rmin_r.
  apply: Rle_trans (H u Hu Pu). exact: Rmin_l.
- exists m. split=> // u. rewrite in_cons => /orP [/eqP ->|Hu] Pu; [lra|exact: H].
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

Lemma support p i z : interior p -> (0 < p i z /\ 0 < ps i z) \/ (p i z = 0 /\ ps i z = 0).
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

(* A small deviation is the relative change of the probability, up to its square. *)
Lemma small_deviation p ep : interior p -> 0 <= ep <= 1 / 4 -> (forall i z, 0 < ps i z -> Rabs (deviation p i z) <= ep) ->
  forall i z, Rabs (p i z - ps i z) <= 2 * ep * ps i z /\ Rabs (p i z - ps i z - ps i z * deviation p i z) <= 3 * ep ^ 2 * ps i z.
Proof.
move=> Ip He D i z. set c := \rsum_(t : text g) (ps i t * log_ratio p i t).
have E t : p i t = ps i t * exp (deviation p i t) * exp c.
{ case: (support p i t Ip) => [[A B]|[-> ->]]; last ring.
  rewrite Rmult_assoc -exp_plus. have -> : deviation p i t + c = ln (p i t / ps i t) by rewrite /deviation -/c /log_ratio; ring.
  rewrite exp_ln; [field; lra|exact: Rdiv_lt_0_compat]. }
set N := \rsum_(t : text g) (ps i t * exp (deviation p i t)).
have EN : N * exp c = 1 by rewrite /N -rsum_scalr -(proj2 (proj2 (proj1 Ip)) i); apply: rsum_ext => t; rewrite E.
have S t : ps i t * deviation p i t ^ 2 <= ps i t * ep ^ 2.
{ case: (support p i t Ip) => [[A B]|[_ ->]]; last lra. apply: Rmult_le_compat_l; first lra.
  rewrite -(pow2_abs (deviation p i t)). have := D i t B. have := Rabs_pos (deviation p i t). nra. }
have B t : 0 < ps i t -> - ep <= deviation p i t <= ep by move=> P; have := D i t P => /Rabs_le_between.
have M1 c1 : \rsum_(t : text g) (ps i t * c1 + ps i t * deviation p i t) = c1.
{ rewrite rsum_add rsum_scalr deviation_centred (proj2 (proj2 Hs)). ring. }
have N1 : 1 <= N.
{ rewrite -[X in X <= _](M1 1). apply: rsum_le => t. have := exp_ineq1_le (deviation p i t). have := proj1 Hs i t. nra. }
have N2 : N <= 1 + 2 * ep ^ 2.
{ rewrite -[X in _ <= X](M1 (1 + 2 * ep ^ 2)). apply: rsum_le => t. case: (support p i t Ip) => [[_ P]|[_ ->]]; last lra.
  have := exp_quadratic (deviation p i t). have := B t P. have := S t. move=> U V W.
  have {}W := Rmult_le_compat_l _ _ _ (Rlt_le _ _ P) (W ltac:(lra)). lra. }
have P1 := exp_pos c. have e0 := pow2_ge_0 ep. have K1 : exp c <= 1 by nra.
have K2 : 1 - 2 * ep ^ 2 <= exp c.
{ have : 1 <= (1 + 2 * ep ^ 2) * exp c by rewrite -EN; apply: Rmult_le_compat_r; lra. nra. }
case: (support p i z Ip) => [[_ P]|[-> ->]]; last first.
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
  have R := rho_pos i. rewrite Rabs_mult (Rabs_pos_eq (rho i)); last lra. have := Rmult_le_compat_l _ _ _ (Rlt_le _ _ R) (H i). lra.
- have := Rmult_le_pos _ _ Hc (anchor_ge0 y z). lra.
Qed.

Lemma mass_close p ep y z : interior p -> 0 <= ep <= 1 / 4 -> (forall i z, 0 < ps i z -> Rabs (deviation p i z) <= ep) ->
  Rabs (mass p y z - mass ps y z) <= 2 * ep * mass ps y z /\
  Rabs (mass p y z - mass ps y z - mass_shift ps (deviation p) y z) <= 3 * ep ^ 2 * mass ps y z.
Proof.
move=> Ip He D. have C := small_deviation p ep Ip He D.
have E : mass p y z - mass ps y z = \rsum_(i : seed g) (if lab i == y then rho i * (p i z - ps i z) else 0).
{ rewrite /mass. set a := \rsum_(i : seed g) _. set b := \rsum_(i : seed g) _.
  have -> : a + anchor y z - (b + anchor y z) = a - b by ring. rewrite /a /b -rsum_sub. apply: rsum_ext => i. case: eqP => _; ring. }
split.
- rewrite E. apply: mass_sum_le; [lra|move=> i; exact: (proj1 (C i z))].
- have -> : mass p y z - mass ps y z - mass_shift ps (deviation p) y z =
    \rsum_(i : seed g) (if lab i == y then rho i * (p i z - ps i z - ps i z * deviation p i z) else 0).
  { rewrite E /mass_shift -rsum_sub. apply: rsum_ext => i. case: eqP => _; ring. }
  apply: mass_sum_le; [have := pow2_ge_0 ep; lra|move=> i; exact: (proj2 (C i z))].
Qed.

Lemma posterior_close p ep y z : interior p -> 0 <= ep <= 1 / 4 -> (forall i z, 0 < ps i z -> Rabs (deviation p i z) <= ep) ->
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
{ rewrite /text_mass -rsum_sub -rsum_scal. apply: Rle_trans (rsum_abs _ _) _. apply: rsum_le => y'. exact: (proj1 (C y')). }
have B2 : Rabs (text_mass p z - text_mass ps z - b) <= 3 * ep ^ 2 * text_mass ps z.
{ rewrite /b /text_mass -!rsum_sub -rsum_scal. apply: Rle_trans (rsum_abs _ _) _. apply: rsum_le => y'. exact: (proj2 (C y')). }
have B := ln_shift _ _ _ _ T He B1 B2. move: A B.
have -> a c : a + (c - a) = c by ring. have -> a c : a + (c - a) = c by ring.
set u := _ - _ - _. set v := _ - _ - _. move=> A B. have := Rabs_triang u (- v). rewrite Rabs_Ropp.
have <- : u + - v = ln (mass p y z) - ln (text_mass p z) - (ln (mass ps y z) - ln (text_mass ps z)) -
  (mass_shift ps (deviation p) y z / mass ps y z - b / text_mass ps z) by rewrite /u /v; ring.
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
move=> H. rewrite /step ln_div; [|exact: weight_pos|exact: normaliser_pos]. rewrite /weight. by case: Rlt_dec => //= ?; rewrite ln_exp.
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
  (tau * (\rsum_(t : text g) (ps i t * log_ratio ps p i t)) - \rsum_(t : text g) (ps i t * drift p i t)) / (tau + beta g) - k.
{ rewrite (rsum_ext _ _ (fun t => / (tau + beta g) * (tau * (ps i t * log_ratio ps p i t) - ps i t * drift p i t) - ps i t * k)).
  - rewrite rsum_sub rsum_scal rsum_sub rsum_scal rsum_scalr (proj2 (proj2 Hs)). rewrite /Rdiv; ring.
  - move=> t. case: (proj1 Hs i t) => [Q|<-]; [rewrite L //; field; lra|ring]. }
rewrite /deviation E L //. field. lra.
Qed.

Lemma step_close p ep i z : interior p -> 0 <= ep <= 1 / 4 ->
  (forall i z, 0 < ps i z -> Rabs (deviation ps p i z) <= ep) -> 0 < ps i z ->
  Rabs (deviation ps (step tau p (posterior p)) i z - linearised ps tau (deviation ps p) i z) <= 44 / (tau + beta g) * ep ^ 2.
Proof.
move=> Ip He D P. rewrite step_deviation // /linearised /response /centre.
have M (w : generator g) t : interior w -> 0 < ps i t -> 0 < mass w (lab i) t.
{ move=> Iw Q. apply: live_mass => //. left. exists i. split=> //. by case: (generator_support ps i t Hs) => [E|[]] //; lra. }
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
have -> : (tau * deviation ps p i z - (drift p i z - x)) / (tau + beta g) - (tau * deviation ps p i z - (s (lab i) z - y)) /
  (tau + beta g) = ((x - y) - (drift p i z - s (lab i) z)) / (tau + beta g) by field; lra.
rewrite Rabs_div; last lra. rewrite (Rabs_pos_eq (tau + beta g)); last lra.
have T := Rabs_triang (x - y) (- (drift p i z - s (lab i) z)). rewrite Rabs_Ropp in T.
have -> : 44 / (tau + beta g) * ep ^ 2 = (44 * ep ^ 2) / (tau + beta g) by field; lra.
apply: Rmult_le_compat_r; first by left; apply: Rinv_0_lt_compat; lra. apply: (Rle_trans _ _ _ T). lra.
Qed.
End Step.
