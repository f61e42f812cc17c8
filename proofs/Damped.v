(* Theorem A: damped steps (tau >= 1) converge for every beta > 0, and its corollaries.  Any class, any anchor.

   balance_any    == J(u, q_t) - J(p_{t+1}, q') <= tau D(u, p_t) - (tau + beta) D(u, p_{t+1}), for every u and q'
   damped_step    == Theorem A, one round
   damped_linear  == A.1: D(p*, p_n) <= (tau / (tau + beta))^n D(p*, p_0)
   damped_rounds  == A.3: D(p*, p_n) <= eps after (1 + tau / beta) ln (L / eps) rounds, where D(p*, p_0) <= L
   value_increases, value_step == A.2: G(p_n) never decreases; V* - G(p_{n+1}) <= tau D(p*, p_n)
   geometric w n  == 1 + w + ... + w^(n-1), with w = (tau + beta) / tau; it is n when beta = 0
   average_reply  == the weighted average of q_0, ..., q_{n-1}, weights w^s
   value_bound    == A.3 and A.5: (J(u, average) - G(p_n)) * geometric w n <= tau D(u, p_0), for every u and beta >= 0
   value_linear   == the same for beta > 0: (w^n - 1) (c - G(p_n)) <= beta D(u, p_0) for c <= J(u, average)
   reference_distance == D(u, ref) <= ln (1 / r_min), for every u
   start_bound    == A.3: beta D(p*, ref) <= (1 + lambda) ln |Y|
   inexact_round  == a round in which the generator misses the exact step by at most e, in payoff, and the
                     classifier the best reply by at most eta, in log-density
   inexact_step   == A.6: then (tau + beta) D' <= tau D + e + (1 + lambda) eta
   inexact_linear == A.6: D(p*, p_n) <= c^n D(p*, p_0) + (1 - c^n) (e + (1 + lambda) eta) / beta, c = tau / (tau +
     beta)  *)
From mathcomp Require Import ssreflect ssrfun ssrbool eqtype ssrnat seq choice fintype bigop.
From Coq Require Import Reals Lra Psatz.
From Nashguard Require Import Sums Logs Game Replies Smooth.
Open Scope R_scope.

Section Run.
Context {g : game}.
Implicit Types (Q : class g) (p u : nat -> generator g) (q : nat -> classifier g).

Lemma run_interior Q tau p q : run Q tau p q -> forall n, interior (p n).
Proof. move=> [I0 S] [//|n]. rewrite (proj2 (S n)). exact: step_interior. Qed.

Lemma run_generator Q tau p q : run Q tau p q -> forall n, is_generator (p n).
Proof. move=> R n. exact: (proj1 (run_interior Q tau p q R n)). Qed.

Lemma run_reply Q tau p q : run Q tau p q -> forall n, reply Q (p n) (q n).
Proof. move=> [_ S] n. exact: (proj1 (S n)). Qed.
End Run.

Section Damped.
Context {g : game}.
Implicit Types (Q : class g) (u ps : generator g) (qs : classifier g) (tau : R).

(* At an equilibrium, every other generator loses beta times its divergence from p*. *)
Lemma nash_regret Q ps qs u : 0 < beta g -> nash Q ps qs -> is_generator u ->
  payoff u qs = payoff ps qs - beta g * divergence u (generator_reply qs) /\ divergence ps (generator_reply qs) = 0.
Proof.
move=> B [Hs [M [HQ _]]] Hu. have Aq := member_admissible Q qs HQ.
have R := regret B u qs Aq Hu. have Rs := regret B ps qs Aq Hs.
have := M _ (proj1 (generator_reply_interior qs)). have := divergence_ge0 ps _ Hs (generator_reply_interior qs). nra.
Qed.

Lemma nash_divergence Q ps qs u : 0 < beta g -> nash Q ps qs -> is_generator u ->
  divergence u (generator_reply qs) = divergence u ps.
Proof.
move=> B N Hu. have [_ Z] := nash_regret Q ps qs u B N Hu.
have E := divergence_eq0 ps _ (proj1 N) (generator_reply_interior qs) Z. apply: avg_ext => i z. by rewrite E.
Qed.

Section OneRound.
Variables (Q : class g) (tau : R) (p : generator g) (q : classifier g).
Hypotheses (tau_1 : 1 <= tau) (Ip : interior p) (Rq : reply Q p q).
Let p1 := step tau p q.

Lemma balance_any u q' : is_generator u -> Q q' ->
  payoff u q - payoff p1 q' <= tau * divergence u p - (tau + beta g) * divergence u p1.
Proof.
move=> Hu HQ'. have B := beta_ge0 g. have T : 0 < tau + beta g by lra.
have M := step_maximal tau p q u T Ip (member_admissible Q q (proj1 Rq)) Hu. rewrite -/p1 in M.
have I1 : interior p1 by exact: step_interior. have S := smooth Q p p1 q q' Ip (proj1 I1) Rq HQ'.
have D := divergence_ge0 p1 p (proj1 I1) Ip. nra.
Qed.

Theorem damped_step ps qs : 0 < beta g -> nash Q ps qs ->
  (tau + beta g) * divergence ps p1 + beta g * divergence p1 ps <= tau * divergence ps p.
Proof.
move=> B N. have I1 : interior p1 by exact: step_interior.
have [R1 _] := nash_regret Q ps qs p1 B N (proj1 I1). rewrite (nash_divergence Q ps qs p1 B N (proj1 I1)) in R1.
have [Hs [_ [HQ M]]] := N. have := balance_any ps qs Hs HQ. have := M q (proj1 Rq). lra.
Qed.
End OneRound.

Section Trajectory.
Variables (Q : class g) (tau : R) (p : nat -> generator g) (q : nat -> classifier g).
Hypotheses (tau_1 : 1 <= tau) (HR : run Q tau p q).

Lemma balance u q' n : is_generator u -> Q q' ->
  payoff u (q n) - payoff (p n.+1) q' <= tau * divergence u (p n) - (tau + beta g) * divergence u (p n.+1).
Proof.
move=> Hu HQ. have S := proj2 HR n. rewrite (proj2 S).
exact: (balance_any Q tau (p n) (q n) tau_1 (run_interior _ _ _ _ HR n) (proj1 S)).
Qed.

Theorem value_increases n : payoff (p n) (q n) <= payoff (p n.+1) (q n.+1).
Proof.
have Hp := run_generator _ _ _ _ HR n. have I1 := run_interior _ _ _ _ HR n.+1.
have := balance (p n) (q n.+1) n Hp (proj1 (run_reply _ _ _ _ HR n.+1)). rewrite divergence_self //.
have := divergence_ge0 (p n) (p n.+1) Hp I1. have := beta_ge0 g. nra.
Qed.

Lemma value_monotone m n : payoff (p m) (q m) <= payoff (p (m + n)%nat) (q (m + n)%nat).
Proof. elim: n => [|n IH]; [rewrite addn0|rewrite addnS; have := value_increases (m + n)%nat]; lra. Qed.

Section Equilibrium.
Variables (ps : generator g) (qs : classifier g).
Hypotheses (beta_pos : 0 < beta g) (N : nash Q ps qs).

Theorem damped_linear n : divergence ps (p n) <= (tau / (tau + beta g)) ^ n * divergence ps (p 0%nat).
Proof.
have T : 0 < tau + beta g by lra. have C : 0 < tau / (tau + beta g) by apply: Rdiv_lt_0_compat; lra.
elim: n => [|n IH]; first by rewrite /=; lra.
have I1 := run_interior _ _ _ _ HR n.+1.
have S := damped_step Q tau (p n) (q n) tau_1 (run_interior _ _ _ _ HR n) (run_reply _ _ _ _ HR n) ps qs beta_pos N.
rewrite -(proj2 (proj2 HR n)) in S.
have D := divergence_ge0 (p n.+1) ps (proj1 I1).
have K : 0 <= divergence (p n.+1) ps.
{ rewrite -(nash_divergence Q ps qs (p n.+1) beta_pos N (proj1 I1)).
  exact: divergence_ge0 (proj1 I1) (generator_reply_interior qs). }
have : divergence ps (p n.+1) <= tau / (tau + beta g) * divergence ps (p n).
{ apply: (Rmult_le_reg_l (tau + beta g)) => //.
  have -> : (tau + beta g) * (tau / (tau + beta g) * divergence ps (p n)) = tau * divergence ps (p n) by field; lra.
  nra. }
move=> /Rle_trans; apply. rewrite /= Rmult_assoc. apply: Rmult_le_compat_l; lra.
Qed.

Theorem damped_rounds eps L n : 0 < eps -> divergence ps (p 0%nat) <= L ->
  (1 + tau / beta g) * ln (L / eps) <= INR n -> divergence ps (p n) <= eps.
Proof.
move=> He HL Hn. apply: Rle_trans (damped_linear n) _.
have T : 0 < tau + beta g by lra. have C : 0 < tau / (tau + beta g) by apply: Rdiv_lt_0_compat; lra.
have W : 0 < (tau / (tau + beta g)) ^ n by exact: pow_lt. have := Rmult_le_compat_l _ _ _ (Rlt_le _ _ W) HL.
move=> /Rle_trans; apply. case: (Rle_dec L 0) => L0; first by nra. move/Rnot_le_lt: L0 => L0.
rewrite -(Rpower_pow n _ C) /Rpower.
have I : ln (tau / (tau + beta g)) <= - (beta g / (tau + beta g)).
{ have := ln_le_sub1 _ C. have -> : tau / (tau + beta g) - 1 = - (beta g / (tau + beta g)) by field; lra. by []. }
have K : INR n * ln (tau / (tau + beta g)) <= - ln (L / eps).
{ have := Rmult_le_compat_l (INR n) _ _ (pos_INR n) I. have P : 0 < beta g / (tau + beta g) by apply:
  Rdiv_lt_0_compat; lra.
  have := Rmult_le_compat_l _ _ _ (Rlt_le _ _ P) Hn.
  have -> : beta g / (tau + beta g) * ((1 + tau / beta g) * ln (L / eps)) = ln (L / eps) by field; lra. lra. }
have -> : eps = exp (- ln (L / eps)) * L.
{ rewrite -ln_Rinv; last exact: Rdiv_lt_0_compat. rewrite exp_ln; first by field; lra.
  apply: Rinv_0_lt_compat; exact: Rdiv_lt_0_compat. }
apply: Rmult_le_compat_r; first lra. case: K => [K|->]; [left; exact: exp_increasing|lra].
Qed.

Theorem value_step n : payoff ps qs - payoff (p n.+1) (q n.+1) <= tau * divergence ps (p n).
Proof.
have [Hs [_ [HQ M]]] := N. have := balance ps (q n.+1) n Hs (proj1 (run_reply _ _ _ _ HR n.+1)).
have := M (q n) (proj1 (run_reply _ _ _ _ HR n)).
have := divergence_ge0 ps (p n.+1) Hs (run_interior _ _ _ _ HR n.+1). nra.
Qed.
End Equilibrium.

(* The weights w^s, w = (tau + beta) / tau, make the balance telescope. *)
Fixpoint geometric (w : R) n := if n is m.+1 then geometric w m + w ^ m else 0.

Lemma geometric_1 n : geometric 1 n = INR n.
Proof. elim: n => [|n IH] //. rewrite S_INR /= IH pow1. ring. Qed.

Lemma geometric_closed w n : (w - 1) * geometric w n = w ^ n - 1.
Proof. elim: n => [|n IH]; rewrite /=; first ring. rewrite Rmult_plus_distr_l IH; ring. Qed.

Definition growth := (tau + beta g) / tau.

Lemma growth_1 : 1 <= growth.
Proof.
have B := beta_ge0 g. apply: (Rmult_le_reg_r tau); first lra.
rewrite /growth. have -> : (tau + beta g) / tau * tau = tau + beta g by field; lra. lra.
Qed.

Lemma geometric_pos n : 0 < geometric growth n.+1.
Proof.
have G := growth_1. elim: n => [|n IH]; first by rewrite /=; lra.
have : 0 < growth ^ n.+1 by apply: pow_lt; lra. rewrite [geometric _ n.+2]/=. rewrite /= in IH *. lra.
Qed.

Lemma geometric_ge0 n : 0 <= geometric growth n.
Proof. case: n => [|n]; first by rewrite /=; lra. left; exact: geometric_pos. Qed.

Fixpoint average_reply n : classifier g :=
  if n is m.+1 then mix (growth ^ m / geometric growth n) (average_reply m) (q m) else q 0%nat.

Lemma average_share n : 0 <= growth ^ n / geometric growth n.+1 <= 1.
Proof.
have G := growth_1. have P := geometric_pos n. have W : 0 < growth ^ n by apply: pow_lt; lra.
have S := geometric_ge0 n.
split; first by left; exact: Rdiv_lt_0_compat.
apply: (Rmult_le_reg_r (geometric growth n.+1)) => //.
have -> : growth ^ n / geometric growth n.+1 * geometric growth n.+1 = growth ^ n by field; lra.
rewrite /=; lra.
Qed.

Lemma average_member n : Q (average_reply n).
Proof.
elim: n => [|n IH]; first exact: (proj1 (run_reply _ _ _ _ HR 0%nat)).
apply: member_convex => //; [exact: (proj1 (run_reply _ _ _ _ HR n))|exact: average_share].
Qed.

(* The logarithm is concave, so the payoff is convex in the classifier. *)
Lemma payoff_mix u c d e : is_generator u -> admissible c -> admissible d -> 0 <= e <= 1 ->
  payoff u (mix e c d) <= (1 - e) * payoff u c + e * payoff u d.
Proof.
move=> Hu [A B] [A' B'] He. rewrite /payoff !loss_mean.
have point a b : 0 < a -> 0 < b -> - ln ((1 - e) * a + e * b) <= (1 - e) * - ln a + e * - ln b.
{ move=> Ha Hb. have M := mix_pos e a b Ha Hb He. set m := (1 - e) * a + e * b in M *.
  have := ln_le_sub1 _ (Rdiv_lt_0_compat _ _ Ha M). have := ln_le_sub1 _ (Rdiv_lt_0_compat _ _ Hb M).
  rewrite !ln_div // => X Y.
  have := Rmult_le_compat_l (1 - e) _ _ ltac:(lra) Y. have := Rmult_le_compat_l e _ _ ltac:(lra) X.
  have : (1 - e) * (a / m - 1) + e * (b / m - 1) = 0 by rewrite /m; field; rewrite -/m; lra. lra. }
have : mean u (fun z y => - ln (mix e c d z y)) <= mean u (fun z y => (1 - e) * - ln (c z y) + e * - ln (d z y)).
{ apply: mean_le => // ? ? H; apply: point; auto. }
rewrite mean_add !mean_scal. set l := mean _ _; set m := mean _ _; set n := mean _ _. lra.
Qed.

Lemma value_sum n u : is_generator u ->
  geometric growth n * (payoff u (average_reply n) - payoff (p n) (q n)) <=
  tau * divergence u (p 0%nat) - tau * growth ^ n * divergence u (p n).
Proof.
move=> Hu. have G := growth_1. elim: n => [|n IH]; first by rewrite /=; lra.
have P := geometric_pos n. have W : 0 < growth ^ n by apply: pow_lt; lra.
have B := balance u (q n.+1) n Hu (proj1 (run_reply _ _ _ _ HR n.+1)).
have M := payoff_mix u _ _ _ Hu (member_admissible Q _ (average_member n))
  (member_admissible Q _ (proj1 (run_reply _ _ _ _ HR n))) (average_share n).
have V := value_increases n. rewrite -/(average_reply n.+1) in M.
have S := geometric_ge0 n.
have E : geometric growth n.+1 = geometric growth n + growth ^ n by [].
have T : tau * growth ^ n.+1 = growth ^ n * (tau + beta g) by rewrite /= {1}/growth; field; lra.
have {}M := Rmult_le_compat_l _ _ _ (Rlt_le _ _ P) M.
have X : geometric growth n.+1 * ((1 - growth ^ n / geometric growth n.+1) * payoff u (average_reply n) +
  growth ^ n / geometric growth n.+1 * payoff u (q n)) =
  geometric growth n * payoff u (average_reply n) + growth ^ n * payoff u (q n) by rewrite E; field; lra.
rewrite X in M. have {}B := Rmult_le_compat_l _ _ _ (Rlt_le _ _ W) B.
have {}V := Rmult_le_compat_l _ _ _ S V. rewrite T Rmult_minus_distr_l E in M *.
move: M B V IH. set a := payoff u _. set b := payoff u _. set c := payoff u _. set v := payoff _ _.
set v' := payoff _ _.
set d0 := divergence _ _. set dn := divergence _ _. set dn' := divergence _ _. lra.
Qed.

Theorem value_bound n u : is_generator u ->
  geometric growth n * (payoff u (average_reply n) - payoff (p n) (q n)) <= tau * divergence u (p 0%nat).
Proof.
move=> Hu. have := value_sum n u Hu. have := divergence_ge0 u (p n) Hu (run_interior _ _ _ _ HR n).
have W : 0 < growth ^ n by have := growth_1 => G; apply: pow_lt; lra.
move: (divergence u (p n)) => d D. have := Rmult_le_pos _ _ (Rlt_le _ _ W) D. nra.
Qed.

(* For beta > 0 the sum of the weights is (w^n - 1) tau / beta. *)
Lemma value_linear n u c : is_generator u -> payoff u (average_reply n) >= c ->
  (growth ^ n - 1) * (c - payoff (p n) (q n)) <= beta g * divergence u (p 0%nat).
Proof.
move=> Hu Hc. have B := beta_ge0 g. have V := value_bound n u Hu. have S := geometric_ge0 n.
have E := geometric_closed growth n. have W : growth - 1 = beta g / tau by rewrite /growth; field; lra.
rewrite -E W. have L : geometric growth n * (c - payoff (p n) (q n)) <= tau * divergence u (p 0%nat).
{ apply: Rle_trans V. apply: Rmult_le_compat_l; lra. }
have X : 0 <= beta g / tau by apply: Rmult_le_pos; [lra|left; apply: Rinv_0_lt_compat; lra].
have := Rmult_le_compat_l _ _ _ X L.
have -> : beta g / tau * (tau * divergence u (p 0%nat)) = beta g * divergence u (p 0%nat) by field; lra. lra.
Qed.
End Trajectory.

(* From the reference itself the distance to go is known beforehand. *)
Lemma reference_distance m u : 0 < m -> (forall (i : seed g) z, 0 < ref i z -> m <= ref i z) -> is_generator u ->
  divergence u ref <= - ln m.
Proof.
move=> Hm H Hu. have -> : - ln m = avg (fun i z => - ln m * u i z) by rewrite avg_scal avg_generator //; ring.
apply: avg_le => i z. case: (generator_support u i z Hu) => [->|[A B]]; first lra.
have U : u i z <= 1. { rewrite -(proj2 (proj2 Hu) i). exact: rsum_single_le _ (u i) z (proj1 Hu i). }
rewrite (Rmult_comm (- ln m)). apply: Rmult_le_compat_l; first lra. rewrite ln_div //.
have := ln_le _ _ A U. have := ln_le _ _ Hm (H i z B). rewrite ln_1; lra.
Qed.

Theorem start_bound Q ps qs : (forall c, Q c -> forall z y, c z y <= 1) -> Q (fun _ _ => / INR #|label g|) ->
  nash Q ps qs -> beta g * divergence ps ref <= total g * ln (INR #|label g|).
Proof.
move=> U HU [Hs [M [HQ M']]]. have Ir := @reference_interior g.
have := M ref (proj1 Ir). have := M' _ HU. rewrite {2}/payoff {1}/payoff. set n := INR _.
have n0 : 0 < n.
{ apply: lt_0_INR. apply/ltP. apply/card_gt0P. case: (pickP (seed g)) => [i _|E]; first by exists (lab i).
  have := rho_1 g. rewrite big_pred0 //; lra. }
have -> : loss ps (fun _ _ => / n) = total g * ln n by rewrite loss_mean mean_const // ln_Rinv //; ring.
have -> : payoff ref qs = loss ref qs by rewrite /payoff divergence_self ?Rmult_0_r ?Rminus_0_r //; exact: (proj1 Ir).
have : 0 <= loss ref qs; last by rewrite /payoff; lra.
rewrite loss_mean. have Z := mean_const ref 0 (proj1 Ir). rewrite Rmult_0_l in Z. rewrite -{1}Z.
have [P P'] := member_admissible Q qs HQ. apply: mean_le (proj1 Ir) _ _ => [i z H|y z H].
- have := ln_le _ _ (P i z H) (U qs HQ z (lab i)). rewrite ln_1; lra.
- have := ln_le _ _ (P' y z H) (U qs HQ z y). rewrite ln_1; lra.
Qed.

Definition inexact_round Q tau e eta ps p p1 (q' : classifier g) :=
  interior p /\ interior p1 /\ Q q' /\
  (exists q, reply Q p q /\ forall y z, live y z -> Rabs (ln (q' z y) - ln (q z y)) <= eta) /\
  payoff ps q' - tau * divergence ps p <=
    payoff p1 q' - tau * divergence p1 p - (tau + beta g) * divergence ps p1 + e.

Theorem inexact_step Q tau e eta ps qs p p1 q' : 1 <= tau -> nash Q ps qs -> inexact_round Q tau e eta ps p p1 q' ->
  (tau + beta g) * divergence ps p1 <= tau * divergence ps p + e + total g * eta.
Proof.
move=> T [Hs [M [HQ M']]] [Ip [I1 [HQ' [[q [Rq H]] E]]]]. have H1 := proj1 I1.
have S := smooth Q p p1 q qs Ip H1 Rq HQ. have := M' q' HQ'. have := M p1 H1.
have D := divergence_ge0 p1 p H1 Ip.
have := payoff_sub p1 q' q (member_admissible Q _ HQ') (member_admissible Q _ (proj1 Rq)) H1.
have : mean p1 (fun z y => ln (ratio q q' z y)) <= mean p1 (fun _ _ => eta).
{ have [A B] := member_admissible Q _ HQ'. have [A' B'] := member_admissible Q _ (proj1 Rq).
  have E' z y : live y z -> - eta <= ln (q' z y) - ln (q z y).
  { move=> /H. move: (_ - _) => x; rewrite /Rabs; case: Rcase_abs; lra. }
  apply: mean_le => // [i z L|y z L]; rewrite /ratio ln_div; auto.
  - have := E' z (lab i) (or_introl (ex_intro _ i (conj erefl L))). lra.
  - have := E' z y (or_intror L). lra. }
rewrite mean_const //. nra.
Qed.

Theorem inexact_linear Q tau e eta ps qs (p : nat -> generator g) (q : nat -> classifier g) :
  1 <= tau -> 0 < beta g -> nash Q ps qs -> (forall n, inexact_round Q tau e eta ps (p n) (p n.+1) (q n)) ->
  forall n, divergence ps (p n) <=
    (tau / (tau + beta g)) ^ n * divergence ps (p 0%nat) +
    (1 - (tau / (tau + beta g)) ^ n) * ((e + total g * eta) / beta g).
Proof.
move=> T B N H. have S n := inexact_step Q tau e eta ps qs (p n) (p n.+1) (q n) T N (H n).
have C : 0 < tau / (tau + beta g) by apply: Rdiv_lt_0_compat; lra.
set c := tau / (tau + beta g) in C *. set r := (e + total g * eta) / beta g.
have one n : divergence ps (p n.+1) <= c * divergence ps (p n) + (1 - c) * r.
{ apply: (Rmult_le_reg_l (tau + beta g)); first lra.
  have -> : (tau + beta g) * (c * divergence ps (p n) + (1 - c) * r) = tau * divergence ps (p n) + (e + total g * eta)
    by rewrite /c /r; field; lra.
  have := S n; lra. }
elim=> [|n IH]; first by rewrite /=; lra.
apply: Rle_trans (one n) _. have := Rmult_le_compat_l c _ _ (Rlt_le _ _ C) IH. rewrite /=. lra.
Qed.
End Damped.
