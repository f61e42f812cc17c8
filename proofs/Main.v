(* The theorems, numbered as in theory/convergence.md; the definitions they speak of stand in Game.v.
   Every statement holds for every game: any finite sets of seeds, labels and texts, any positive weights, any
   reference (zeros allowed), real data or none, and, where Q : class g appears, every convex class of classifiers.  *)
From mathcomp Require Import ssreflect ssrfun ssrbool eqtype ssrnat seq choice fintype bigop.
From Coq Require Import Reals Lra.
From Nashguard Require Import Sums Game Replies Smooth Posterior Damped Undamped Equilibrium Existence.
Open Scope R_scope.

(* The classifier's best reply: the posterior in the full class, the only one on texts that occur. *)
Theorem proposition_1_full (g : game) (p : generator g) : interior p ->
  reply (full g) p (posterior p) /\
  forall q, reply (full g) p q -> forall z, 0 < text_mass p z -> forall y, q z y = mass p y z / text_mass p z.
Proof.
move=> Ip. split; first exact: posterior_reply. move=> q R z M y.
by rewrite (posterior_unique p q z Ip R M) posterior_at.
Qed.

(* In the clipped class max (gamma, u W), u making each row sum to 1; for two labels the posterior clipped. *)
Theorem proposition_1_clipped (g : game) (gamma : R) (G : 0 < gamma) (G' : INR #|label g| * gamma <= 1)
  (p : generator g) : interior p ->
  reply (clipped g gamma G) p (clipped_posterior gamma G G' p) /\
  (forall q, reply (clipped g gamma G) p q -> forall z, 0 < text_mass p z ->
     exists u, 0 <= u /\ forall y, q z y = Rmax gamma (u * mass p y z)) /\
  (#|label g| = 2%nat -> forall z y,
     clipped_posterior gamma G G' p z y = Rmax gamma (Rmin (1 - gamma) (posterior p z y))).
Proof.
move=> Ip. split; first exact: clipped_reply. split; last by move=> L z y; apply: clipped_two_labels => //; case: Ip.
move=> q R z M. have [u [U [_ E]]] := clipped_row gamma G G' p z M. exists u. split=> // y.
by rewrite (clipped_unique gamma G G' p q z Ip R M).
Qed.

(* The generator's best reply in closed form: every other generator loses beta times its divergence from it. *)
Theorem proposition_2 (g : game) (p : generator g) (q : classifier g) : 0 < beta g -> admissible q -> is_generator p ->
  payoff (generator_reply q) q - payoff p q = beta g * divergence p (generator_reply q) /\
  payoff p q <= payoff (generator_reply q) q /\
  (payoff p q = payoff (generator_reply q) q -> forall i z, p i z = generator_reply q i z).
Proof.
move=> B A P. split; first exact: regret. split; first exact: reply_max.
move=> E. apply: reply_unique => //. by right.
Qed.

(* The gap in closed form: the two regrets; for the pair of p and its best reply, beta KL(p || T_phi q). *)
Theorem proposition_3 (g : game) (Q : class g) (p : generator g) (q q' : classifier g) (e : R) :
  0 < beta g -> is_generator p -> Q q -> reply Q p q' ->
  (exploitability Q p q e <-> e = beta g * divergence p (generator_reply q) + (payoff p q - payoff p q')) /\
  (reply Q p q -> exploitability Q p q (beta g * divergence p (generator_reply q))).
Proof.
move=> B P HQ R. split; first exact: gap. move=> R'. apply/(gap B Q p q q) => //. ring.
Qed.

(* Smoothness relative to entropy, on which all convergence rests. *)
Theorem lemma_1 (g : game) (Q : class g) (p u : generator g) (q q' : classifier g) :
  interior p -> is_generator u -> reply Q p q -> Q q' ->
  payoff u q - payoff u q' <= divergence u p.
Proof. exact: smooth. Qed.

(* Theorem 1: an equilibrium exists for every beta > 0, in the full class and in the clipped one. *)
Theorem theorem_1_existence (g : game) : 0 < beta g ->
  (exists p q, nash (full g) p q) /\
  forall (gamma : R) (G : 0 < gamma), INR #|label g| * gamma <= 1 -> exists p q, nash (clipped g gamma G) p q.
Proof. move=> B. split; [exact: nash_exists_full|move=> gamma G L; exact: nash_exists_clipped]. Qed.

(* It is unique: one generator, one value, one classifier wherever generated or real texts are. Any class. *)
Theorem theorem_1_uniqueness (g : game) (Q : class g) (p p' : generator g) (q q' : classifier g) :
  0 < beta g -> nash Q p q -> nash Q p' q' ->
  (forall i z, p i z = p' i z) /\ payoff p q = payoff p' q' /\ forall y z, live y z -> q z y = q' z y.
Proof. move=> B N N'. exact: (nash_unique B Q p q p' q' N N'). Qed.

(* Equilibria are the fixed points of the two best replies, and the pairs of gap 0. *)
Theorem theorem_1_fixed_point (g : game) (Q : class g) (p : generator g) (q : classifier g) : 0 < beta g ->
  (nash Q p q <-> is_generator p /\ (forall i z, p i z = generator_reply q i z) /\ reply Q p q) /\
  (is_generator p -> Q q -> (exploitability Q p q 0 <-> nash Q p q)).
Proof. move=> B. split; [exact: nash_fixed_point|exact: gap_zero]. Qed.

(* Proposition 3, last line: a gap certifies distances. *)
Theorem proposition_3_distances (g : game) (Q : class g) (p ps : generator g) (q qs : classifier g) (e : R) :
  0 < beta g -> nash Q ps qs -> is_generator p -> Q q -> exploitability Q p q e ->
  beta g * divergence ps (generator_reply q) <= e /\ beta g * divergence p ps <= e.
Proof. move=> B N Hp HQ. exact: (gap_distances B Q ps qs p q e N Hp HQ). Qed.

(* Runs exist from every interior start; damped ones converge, generator and classifier, text by text. *)
Theorem theorem_A_convergence (g : game) (tau : R) : 1 <= tau -> 0 < beta g ->
  (forall p0 : generator g, interior p0 -> exists p q, run (full g) tau p q /\ p 0%nat = p0) /\
  forall (Q : class g) p q ps qs, run Q tau p q -> nash Q ps qs ->
    (forall i z, Un_cv (fun n => p n i z) (ps i z)) /\ forall y z, live y z -> Un_cv (fun n => q n z y) (qs z y).
Proof.
move=> T B. split; first by move=> p0; exact: run_exists_full. move=> Q p q ps qs. move=> HR N.
exact: (run_converges Q tau p q ps qs T B HR N).
Qed.

(* Theorem A: damped steps converge for every beta > 0, at a rate without any constant of the game. *)
Theorem theorem_A (g : game) (Q : class g) (tau : R) p q ps qs :
  1 <= tau -> 0 < beta g -> run Q tau p q -> nash Q ps qs ->
  forall n, (tau + beta g) * divergence ps (p n.+1) + beta g * divergence (p n.+1) ps <= tau * divergence ps (p n).
Proof.
move=> T B R N n. rewrite (proj2 (proj2 R n)).
exact: (damped_step Q tau (p n) (q n) T (run_interior _ _ _ _ R n) (run_reply _ _ _ _ R n) ps qs B N).
Qed.

Theorem corollary_A_1 (g : game) (Q : class g) (tau : R) p q ps qs :
  1 <= tau -> 0 < beta g -> run Q tau p q -> nash Q ps qs ->
  forall n, divergence ps (p n) <= (tau / (tau + beta g)) ^ n * divergence ps (p 0%nat).
Proof. move=> T B R N n. exact: (damped_linear Q tau p q T R ps qs B N n). Qed.

(* Values: G(p_n) = payoff (p n) (q n) never falls, and reaches the game's value linearly. *)
Theorem corollary_A_2 (g : game) (Q : class g) (tau : R) p q ps qs :
  1 <= tau -> 0 < beta g -> run Q tau p q -> nash Q ps qs -> forall n,
  payoff (p n) (q n) <= payoff (p n.+1) (q n.+1) <= payoff ps qs /\
  payoff ps qs - payoff (p n.+1) (q n.+1) <= tau * divergence ps (p n) /\
  (((tau + beta g) / tau) ^ n - 1) * (payoff ps qs - payoff (p n) (q n)) <= beta g * divergence ps (p 0%nat).
Proof.
move=> T B R N n. have [Hs [M [HQ M']]] := N. have G := run_generator _ _ _ _ R n.+1.
split; [split; first exact: (value_increases Q tau p q T R)|split; first exact: (value_step Q tau p q T R ps qs B N)].
- have := proj2 (run_reply _ _ _ _ R n.+1) qs HQ. have := M _ G. lra.
- apply: (value_linear Q tau p q T R n ps _ Hs). apply: Rle_ge. exact: M' (average_member Q tau p q T R n).
Qed.

(* From the reference the distance to go is at most (1 + lambda) ln |Y| / beta, whence the number of rounds. *)
Theorem corollary_A_3_rounds (g : game) (Q : class g) (tau : R) p q ps qs (eps : R) :
  1 <= tau -> 0 < beta g -> run Q tau p q -> p 0%nat = ref -> nash Q ps qs -> 0 < eps ->
  (forall c, Q c -> forall z y, c z y <= 1) -> Q (fun _ _ => / INR #|label g|) ->
  forall n, (1 + tau / beta g) * ln (total g * ln (INR #|label g|) / beta g / eps) <= INR n -> divergence ps (p n) <=
    eps.
Proof.
move=> T B R E N He U HU n Hn. apply: (damped_rounds Q tau p q T R ps qs B N eps _ n He _ Hn). rewrite E.
have S := start_bound Q ps qs U HU N. apply: (Rmult_le_reg_l (beta g)) => //. apply: Rle_trans S _. right. field. lra.
Qed.

(* The gap of p_n and the weighted average of the classifiers: linear for beta > 0, 1/n for beta = 0. *)
Theorem corollary_A_3_gap (g : game) (Q : class g) (tau : R) p q (m : R) :
  1 <= tau -> run Q tau p q -> p 0%nat = ref -> 0 < m -> (forall (i : seed g) z, 0 < ref i z -> m <= ref i z) ->
  forall n e, exploitability Q (p n) (average_reply tau q n) e ->
  (((tau + beta g) / tau) ^ n - 1) * e <= beta g * - ln m /\ geometric ((tau + beta g) / tau) n * e <= tau * - ln m.
Proof.
move=> T R E m0 Hm n e [u [q' [Hu [_ [[HQ' M] ->]]]]].
have Mn := proj2 (run_reply _ _ _ _ R n) q' HQ'. have Mq := M _ (proj1 (run_reply _ _ _ _ R n)).
have D := reference_distance m u m0 Hm Hu. rewrite -E in D.
have L := value_linear Q tau p q T R n u _ Hu (Rge_refl _). have V := value_bound Q tau p q T R n u Hu.
have -> : payoff u (average_reply tau q n) - payoff (p n) (average_reply tau q n) +
  (payoff (p n) (average_reply tau q n) - payoff (p n) q') = payoff u (average_reply tau q n) - payoff (p n) (q n) by
    lra.
have := Rmult_le_compat_l (beta g) _ _ (beta_ge0 g) D. have := Rmult_le_compat_l tau _ _ ltac:(lra) D.
rewrite /growth in L V. lra.
Qed.

(* beta = 0, that is iterated preference optimisation whose reference is the last generator: O(1/n). *)
Theorem corollary_A_5 (g : game) (Q : class g) (tau : R) p q :
  1 <= tau -> beta g = 0 -> run Q tau p q ->
  forall n u c, is_generator u -> reply Q u c ->
  INR n * (payoff u c - payoff (p n) (q n)) <= tau * divergence u (p 0%nat) /\
  INR n * (payoff u (average_reply tau q n) - payoff (p n) (q n)) <= tau * divergence u (p 0%nat).
Proof.
move=> T B R n u c Hu [Hc M]. have V := value_bound Q tau p q T R n u Hu.
have W : @growth g tau = 1 by rewrite /growth B; field; lra. rewrite W geometric_1 in V. split=> //.
apply: Rle_trans _ V. apply: Rmult_le_compat_l; first exact: pos_INR. have := M _ (average_member Q tau p q T R n). lra.
Qed.

(* Errors of e per round in the generator's payoff and eta in the classifier's log-density are forgotten
  geometrically. *)
Theorem corollary_A_6 (g : game) (Q : class g) (tau e eta : R) ps qs (p : nat -> generator g) (q : nat -> classifier
  g) :
  1 <= tau -> 0 < beta g -> nash Q ps qs -> (forall n, inexact_round Q tau e eta ps (p n) (p n.+1) (q n)) ->
  let c := tau / (tau + beta g) in
  forall n, divergence ps (p n) <= c ^ n * divergence ps (p 0%nat) + (1 - c ^ n) * ((e + total g * eta) / beta g).
Proof. exact: inexact_linear. Qed.

(* Theorem C: the paper's own iteration converges for every beta > 1. *)
Theorem theorem_C (g : game) (Q : class g) p q ps qs :
  1 < beta g -> run Q 0 p q -> nash Q ps qs -> forall n,
  value_against (q n.+1) - payoff ps qs <= (value_against (q n) - payoff ps qs) / beta g /\
  beta g * divergence ps (p n.+1) <= value_against (q n) - payoff ps qs /\
  (forall e, exploitability Q (p n.+2) (q n.+2) e -> (beta g - 1) * e <= value_against (q n) - payoff ps qs).
Proof.
move=> B R N n. have HQ := proj1 (run_reply _ _ _ _ R n). split; last split.
- apply: (Rmult_le_reg_l (beta g)); first lra.
  have -> : beta g * ((value_against (q n) - payoff ps qs) / beta g) = value_against (q n) - payoff ps qs by field; lra.
  apply: (reply_step Q ps qs (q n) _ _ N HQ (undamped_reply Q p q R n)); lra.
- have := reply_distance Q ps qs (q n) ltac:(lra) N HQ.
  by rewrite (divergence_ext ps ps (p n.+1) (generator_reply (q n))) //; exact: (proj2 (undamped_step Q p q R n)).
- move=> e He. exact: (undamped_gap Q p q ps qs R N n e B He).
Qed.

(* The paper's players move at once: the same rate per two rounds. *)
Theorem proposition_5 (g : game) (Q : class g) (p : nat -> generator g) (q : nat -> classifier g) ps qs :
  1 <= beta g -> nash Q ps qs -> simultaneous Q p q -> forall n,
  value_against (q n.+2) - payoff ps qs <= (value_against (q n) - payoff ps qs) / beta g.
Proof.
move=> B N S n. apply: (Rmult_le_reg_l (beta g)); first lra.
have -> : beta g * ((value_against (q n) - payoff ps qs) / beta g) = value_against (q n) - payoff ps qs by field; lra.
exact: (simultaneous_linear Q p q ps qs n B N S).
Qed.
