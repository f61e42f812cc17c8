(* The theorems, numbered as in theory/convergence.md; the definitions they speak of stand in Game.v.
   Statements hold for every game, unless they say otherwise: any finite sets of seeds, labels and texts, any
   positive weights, any reference (zeros allowed), real data or none, and, where Q : class g appears, every convex
     class of classifiers.  *)
From mathcomp Require Import ssreflect ssrfun ssrbool eqtype ssrnat seq choice fintype bigop.
From Coq Require Import Reals Lra.
From Coq Require QArith_base.
From Nashguard Require Import Sums Game Replies Smooth Posterior Damped Undamped Equilibrium Existence TwoTexts Pinsker
  Local Attraction.
From Coquelicot Require Import Hierarchy Derive.
From Nashguard Require Contraction Matrix Averages SequenceForm KlGuard KlMatrix Regularised.
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
  (forall i z, generator_reply q i z = ref i z * Rpower (q z (lab i)) (- / beta g) /
     \rsum_(t : text g) (ref i t * Rpower (q t (lab i)) (- / beta g))) /\
  payoff (generator_reply q) q - payoff p q = beta g * divergence p (generator_reply q) /\
  payoff p q <= payoff (generator_reply q) q /\
  (payoff p q = payoff (generator_reply q) q -> forall i z, p i z = generator_reply q i z).
Proof.
move=> B A P. split; first exact: generator_reply_closed. split; first exact: regret. split; first exact: reply_max.
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

(* The step identity: the proximal best reply is the one maximiser, and what every other generator loses. *)
Theorem lemma_2 (g : game) (tau : R) (p u : generator g) (q : classifier g) :
  0 < tau + beta g -> interior p -> admissible q -> is_generator u ->
  payoff u q - tau * divergence u p = payoff (step tau p q) q - tau * divergence (step tau p q) p -
    (tau + beta g) * divergence u (step tau p q) /\
  0 <= divergence u (step tau p q) /\
  (divergence u (step tau p q) = 0 -> forall i z, u i z = step tau p q i z).
Proof.
move=> T I A U. split; first exact: step_maximal. have S := step_interior tau p q.
split; [exact: divergence_ge0|exact: divergence_eq0].
Qed.

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

(* The value: what any generator guarantees falls short of it by known terms, and no classifier holds below it. *)
Theorem theorem_1_value (g : game) (Q : class g) (p ps : generator g) (q qs : classifier g) :
  0 < beta g -> nash Q ps qs -> is_generator p -> reply Q p q ->
  payoff ps qs - payoff p q = beta g * divergence p ps + (payoff p qs - payoff p q) /\
  payoff p q <= payoff p qs <= payoff ps qs /\
  (forall c, Q c -> payoff ps qs <= value_against c) /\ (forall c, nash Q ps c <-> reply Q ps c).
Proof.
move=> B N Hp R. have [V [L U]] := nash_value B Q ps qs p q N Hp R. do 3 split=> //. move=> c.
exact: (nash_replies B Q ps qs c N).
Qed.

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

(* Runs exist from every interior start. *)
Theorem runs_exist (g : game) (tau : R) (p0 : generator g) : interior p0 ->
  (exists p q, run (full g) tau p q /\ p 0%nat = p0) /\
  forall (gamma : R) (G : 0 < gamma), INR #|label g| * gamma <= 1 ->
    exists p q, run (clipped g gamma G) tau p q /\ p 0%nat = p0.
Proof. move=> I. split; [exact: run_exists_full|move=> gamma G L; exact: run_exists_clipped]. Qed.

(* Damped ones converge, generator and classifier, text by text. *)
Theorem theorem_A_convergence (g : game) (Q : class g) (tau : R) p q ps qs :
  1 <= tau -> 0 < beta g -> run Q tau p q -> nash Q ps qs ->
  (forall i z, Un_cv (fun n => p n i z) (ps i z)) /\ forall y z, live y z -> Un_cv (fun n => q n z y) (qs z y).
Proof. move=> T B HR N. exact: (run_converges Q tau p q ps qs T B HR N). Qed.

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
  forall n, (1 + tau / beta g) * ln (total g * ln (INR #|label g|) / beta g / eps) <= INR n ->
  divergence ps (p n) <= eps.
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
  (payoff (p n) (average_reply tau q n) - payoff (p n) q') = payoff u (average_reply tau q n) - payoff (p n) (q n)
  by lra.
have := Rmult_le_compat_l (beta g) _ _ (beta_ge0 g) D. have := Rmult_le_compat_l tau _ _ ltac:(lra) D.
rewrite /growth in L V. lra.
Qed.

(* Distances in l1, by Pinsker's inequality: hence linear convergence in l1 at the square root of the rate. *)
Theorem corollary_A_4 (g : game) (Q : class g) (tau : R) p q ps qs :
  1 <= tau -> 0 < beta g -> run Q tau p q -> nash Q ps qs -> forall n,
  (\rsum_(i : seed g) (rho i * \rsum_(z : text g) Rabs (ps i z - p n i z))) ^ 2 <=
    2 * ((tau / (tau + beta g)) ^ n * divergence ps (p 0%nat)).
Proof.
move=> T B HR N n. have := pinsker_average ps (p n) (proj1 N) (run_interior _ _ _ _ HR n).
have := damped_linear Q tau p q T HR ps qs B N n. rewrite /l1_distance. lra.
Qed.

(* The classifier's half of it, in the full class. *)
Theorem corollary_A_4_classifier (g : game) (u p : generator g) : interior u -> interior p ->
  \rsum_(z : text g) (text_mass u z * (\rsum_(y : label g) Rabs (posterior u z y - posterior p z y)) ^ 2) <=
  2 * (payoff u (posterior p) - payoff u (posterior u)) /\
  payoff u (posterior p) - payoff u (posterior u) <= divergence u p.
Proof.
move=> Iu Ip. split; first exact: pinsker_posterior.
exact: (smooth (full g) p u _ _ Ip (proj1 Iu) (posterior_reply p Ip) (proj1 (posterior_reply u Iu))).
Qed.

(* beta = 0, that is iterated preference optimisation whose reference is the last generator: O(1/n). *)
Theorem corollary_A_5 (g : game) (Q : class g) (tau : R) p q :
  1 <= tau -> beta g = 0 -> run Q tau p q ->
  forall n u v, is_generator u -> (forall c, Q c -> v <= payoff u c) ->
  INR n * (v - payoff (p n) (q n)) <= tau * divergence u (p 0%nat) /\
  INR n * (payoff u (average_reply tau q n) - payoff (p n) (q n)) <= tau * divergence u (p 0%nat).
Proof.
move=> T B HR n u v Hu M. have V := value_bound Q tau p q T HR n u Hu.
have W : @growth g tau = 1 by rewrite /growth B; field; lra.
rewrite W geometric_1 in V. split=> //. apply: Rle_trans _ V. apply: Rmult_le_compat_l; first exact: pos_INR.
have := M _ (average_member Q tau p q T HR n). lra.
Qed.

(* Errors of e per round in the generator's payoff and eta in the classifier's log-density are forgotten
   geometrically. *)
Theorem corollary_A_6 (g : game) (Q : class g) (tau e eta : R) ps qs
  (p : nat -> generator g) (q : nat -> classifier g) :
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

(* From the reply to the reference, the distance to go is known: at most log (1 / r_min). *)
Theorem theorem_C_reference (g : game) (Q : class g) ps qs (q : classifier g) (m : R) :
  nash Q ps qs -> reply Q ref q -> 0 < m -> (forall (i : seed g) z, 0 < ref i z -> m <= ref i z) ->
  value_against q - payoff ps qs <= divergence (generator_reply q) ref /\
  divergence (generator_reply q) ref <= - ln m.
Proof.
move=> N R m0 M. split; first exact: (undamped_start Q).
exact: (reference_distance m _ m0 M (proj1 (generator_reply_interior q))).
Qed.

(* The first round, from whatever classifier of the class. *)
Theorem theorem_C_start (g : game) (Q : class g) (q0 : classifier g) p q ps qs :
  1 <= beta g -> Q q0 -> run Q 0 p q -> (forall i z, p 0%nat i z = generator_reply q0 i z) -> nash Q ps qs ->
  beta g * (value_against (q 0%nat) - payoff ps qs) <= value_against q0 - payoff ps qs.
Proof.
move=> B HQ HR E N. have [HQ0 M] := run_reply _ _ _ _ HR 0%nat.
apply: (reply_step Q ps qs q0 (q 0%nat) B N HQ). split=> // c Hc. rewrite -!(payoff_ext _ _ _ E). exact: M.
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

(* Theorem B: at an equilibrium the iteration's derivative, in log-densities, is e -> (tau e - S e) / (tau + beta). *)
Theorem theorem_B_linearisation (g : game) (p e : generator g) (q : classifier g) (tau : R)
  (i : seed g) (z : text g) :
  0 < beta g -> 0 <= tau -> nash (full g) p q -> centred p e -> 0 < ref i z ->
  is_derive (fun h : R => ln (step tau (perturb p e h) (posterior (perturb p e h)) i z)) 0
    ((tau * e i z - response p e i z) / (tau + beta g)).
Proof. move=> B T N C P. exact: (linearisation B p q tau e i z T N C P). Qed.

(* S is self-adjoint with spectrum in [0, 1], as quadratic forms on perturbations. *)
Theorem theorem_B_spectrum (g : game) (p : generator g) : is_generator p ->
  (forall e f, centred p e -> centred p f -> inner p e (response p f) = inner p (response p e) f) /\
  (forall e, centred p e -> 0 <= inner p e (response p e) <= inner p e e) /\
  forall nu e, eigenvector p nu e -> 0 <= nu <= 1.
Proof.
move=> Hp. split; first by move=> e f; exact: response_symmetric. split; last by move=> nu e; exact: eigenvalue_range.
move=> e C. split; [exact: response_ge0|exact: response_le1].
Qed.

(* With two labels and no real data, the matrix M = I - N: symmetric, between 0 and the identity. *)
Theorem theorem_B_matrix (g : game) (p : generator g) (a b : label g) :
  is_generator p -> (forall y z, @anchor g y z = 0) -> a <> b -> (forall y, y = a \/ y = b) ->
  (forall z t, similarity p a b z t = similarity p a b t z) /\
  forall f, 0 <= similarity_form p a b f f <= \rsum_(z : text g) (f z * f z).
Proof.
move=> Hp A ab L. split; first by move=> z t; exact: similarity_symmetric.
move=> f. split; [exact: similarity_ge0|exact: (similarity_le p a b Hp A ab L f)].
Qed.

(* Every eigenvalue is stable if and only if 2 tau + beta > 1, once the texts are many: (|Y| - 1) |Z| >= n. *)
Theorem theorem_B_threshold (g : game) (p : generator g) (tau : R) :
  is_generator p -> (forall y z, @anchor g y z = 0) -> (forall y z, 0 < mass p y z) ->
  (#|seed g| + #|text g| <= #|label g| * #|text g|)%nat -> 0 < beta g -> 0 <= tau ->
  (forall nu e, eigenvector p nu e -> Rabs ((tau - nu) / (tau + beta g)) < 1) <-> 1 < 2 * tau + beta g.
Proof. move=> Hp A M C B T. exact: (threshold p Hp tau A M C B T). Qed.

(* And where 2 tau + beta > 1 the dynamics themselves converge from every start near the equilibrium. *)
Theorem theorem_B_attraction (g : game) (ps : generator g) (qs : classifier g) (tau : R) :
  0 < beta g -> 0 <= tau -> nash (full g) ps qs -> 1 < 2 * tau + beta g ->
  exists r d, 0 < r < 1 /\ 0 < d /\ forall p q, run (full g) tau p q ->
    (forall i z, Rabs (p 0%nat i z - ps i z) <= d) ->
    forall n, divergence ps (p n) <= 2 * ((r ^ 2) ^ n * variance ps (p 0%nat)).
Proof. move=> B T N H. exact: (local_stability ps qs tau B T N H). Qed.

(* beta = 1 is the exact threshold: with two texts, from every start with log-odds x and -x for the two seeds, x <> 0,
   the paper's iteration converges if and only if beta > 1. *)
Theorem example_1 (beta : R) (B : 0 <= beta) (Q : class (two_texts 0 beta B)) (x : R) p q :
  0 < beta -> full_or_clipped Q -> run_from Q 0 x p q -> x <> 0 -> (converges p <-> 1 < beta).
Proof. exact: two_texts_threshold. Qed.

(* Such runs exist, and the equilibrium they miss is uniform. *)
Theorem example_1_runs (beta : R) (B : 0 <= beta) (Q : class (two_texts 0 beta B)) (x : R) :
  0 < beta -> full_or_clipped Q -> (exists p q, run_from Q 0 x p q) /\ nash Q uniform uniform.
Proof. move=> b F. split; [exact: two_texts_run|exact: uniform_nash]. Qed.

(* Its closed form in log-odds, clipped at l = logit (1 - gamma), for every reference split L0. *)
Theorem example_1_recursion (L0 beta : R) (B : 0 <= beta) (gamma : R) (G : 0 < gamma) (x : R) p q :
  0 < beta -> gamma < 1 / 2 -> run_from (clipped (two_texts L0 beta B) gamma G) 0 x p q -> forall n,
  q n = split (log_odds (q n)) /\ p n.+1 = split (L0 - log_odds (q n) / beta) /\
  log_odds (q n.+1) = clip (logit (1 - gamma)) (L0 - log_odds (q n) / beta).
Proof. move=> b gh S n. exact: (clipped_recursion gamma G x p q b gh S n). Qed.

(* At beta = 1 every such run is an exact 2-cycle. *)
Theorem example_1_boundary (B : 0 <= 1) (gamma : R) (G : 0 < gamma) (x : R) p q :
  gamma < 1 / 2 -> run_from (clipped (two_texts 0 1 B) gamma G) 0 x p q -> forall n,
  q n.+2 = q n /\ p n.+3 = p n.+1 /\ (x <> 0 -> q n.+1 <> q n /\ p n.+2 <> p n.+1).
Proof. move=> gh S n. exact: (clipped_two_cycle gamma G x p q Rlt_0_1 gh S erefl n). Qed.

(* Below 1 every such run ends on the 2-cycle at the class's edge, whose gap is known. *)
Theorem example_1_cycle (beta : R) (B : 0 <= beta) (gamma : R) (G : 0 < gamma) (x : R) p q :
  0 < beta < 1 -> gamma < 1 / 2 -> run_from (clipped (two_texts 0 beta B) gamma G) 0 x p q -> x <> 0 ->
  let l := logit (1 - gamma) in exists N, forall n, (N <= n)%nat ->
  Rabs (log_odds (q n)) = l /\ log_odds (q n.+1) = - log_odds (q n) /\ q n.+2 = q n /\ p n.+2 = p n /\
  forall e, exploitability (clipped (two_texts 0 beta B) gamma G) (p n) (q n) e <-> e = l * tanh (l / (2 * beta)).
Proof. move=> [b b1] gh S x0. exact: (clipped_cycle gamma G x p q b gh S b1 x0). Qed.

(* Without a floor, for every tau: the threshold 2 tau + beta = 1, the 2-cycle on it, log-odds without bound below. *)
Theorem example_1_full (L0 beta : R) (B : 0 <= beta) (tau x : R) p q :
  0 < tau + beta -> run_from (full (two_texts L0 beta B)) tau x p q ->
  (converges p <-> 1 < 2 * tau + beta \/ x = balanced_odds L0 beta) /\
  (2 * tau + beta = 1 -> forall n, p n.+2 = p n /\ q n.+2 = q n) /\
  (2 * tau + beta < 1 -> x <> balanced_odds L0 beta -> cv_infty (fun n => Rabs (log_odds (q n)))).
Proof.
move=> T S. split; first exact: (full_threshold tau x p q T S). split; last exact: (full_unbounded tau x p q T S).
move=> E n. have [P [Q _]] := full_two_cycle tau x p q T S E n. by split.
Qed.

(* The paper's Theorem 4.2 with its constants, c = 4 / (beta delta alpha gamma^(1 + 1/beta)), as repaired in
   theory/audit.md: existence, uniqueness and linear convergence of the simultaneous best replies when c < 1.     *)
Theorem theorem_4_2P (s : Contraction.setting) (delta alpha : R) : let c := Contraction.factor s delta alpha in
  Contraction.bounds_normalisers s delta -> Contraction.bounds_masses s alpha ->
  (forall x y, Contraction.rho_xy s x y <= / INR #|Contraction.input s|) -> c < 1 -> Contraction.converges s c.
Proof. exact: Contraction.theorem_4_2. Qed.

(* The constants need not be assumed: delta = 1, and alpha from the reference. *)
Theorem theorem_4_2P_constants (s : Contraction.setting) (alpha0 : R) :
  Contraction.bounds_normalisers s 1 /\
  (0 < alpha0 -> (forall z, alpha0 <= text_mass (@ref (Contraction.paper_game s)) z) ->
     Contraction.bounds_masses s (Rpower (Contraction.gamma s) (/ Contraction.temperature s) * alpha0)).
Proof. split; [exact: Contraction.normalisers_above_1|exact: Contraction.masses_above]. Qed.

(* The same with a sharper constant, 1 / (alpha beta gamma). *)
Theorem theorem_4_2P_sharp (s : Contraction.setting) (alpha : R) : let c := Contraction.sharp_factor s alpha in
  Contraction.bounds_masses s alpha -> (forall x y, Contraction.rho_xy s x y <= / INR #|Contraction.input s|) ->
  c < 1 -> Contraction.converges s c.
Proof. exact: Contraction.theorem_4_2_sharp. Qed.

(* Its route: both best replies are Lipschitz in l1, so two rounds contract. *)
Theorem theorem_4_2P_lipschitz (s : Contraction.setting) (delta alpha : R) :
  Contraction.bounds_normalisers s delta -> Contraction.bounds_masses s alpha ->
  (forall x y, Contraction.rho_xy s x y <= / INR #|Contraction.input s|) ->
  let n := INR #|Contraction.input s| in let gam := Contraction.gamma s in let b := Contraction.temperature s in
  (forall q q' : classifier (Contraction.paper_game s), Contraction.class_Q q -> Contraction.class_Q q' ->
     Contraction.distance (generator_reply q) (generator_reply q') <=
     2 * n / (b * delta * Rpower gam (1 + / b)) * Contraction.distance q q') /\
  (forall p p' : generator (Contraction.paper_game s), Contraction.domain_D p -> Contraction.domain_D p' ->
     Contraction.distance (Contraction.classifier_reply p) (Contraction.classifier_reply p') <=
     2 / (alpha * n) * Contraction.distance p p') /\
  Contraction.contracts s (Contraction.factor s delta alpha).
Proof.
move=> D A R n gam b. split; first by move=> q q' Hq Hq'; exact: (Contraction.reply_lipschitz delta q q' D Hq Hq').
split; last exact: Contraction.contraction. move=> p p' Hp Hp'.
exact: (Contraction.posterior_lipschitz alpha p p' A R Hp Hp').
Qed.

(* But whatever the constants, the condition c < 1 asks for a temperature beyond 8 times the number of texts. *)
Theorem theorem_4_2P_vacuous (s : Contraction.setting) (delta alpha : R) :
  Contraction.bounds_normalisers s delta -> Contraction.bounds_masses s alpha ->
  alpha <= / INR #|Contraction.sample s| /\
  (Contraction.factor s delta alpha < 1 -> 8 * INR #|Contraction.sample s| < Contraction.temperature s).
Proof.
move=> D A. split; [exact: Contraction.alpha_le|exact: Contraction.temperature_needed].
Qed.

(* Matrix games: an accepted certificate proves its pair of strategies an equilibrium of exactly its value. *)
Theorem matrix_certificate (c : Matrix.certificate) : Matrix.check_exact c ->
  Matrix.nash (Matrix.game c) (Matrix.row c) (Matrix.column c) /\ Matrix.is_value (Matrix.game c) (Matrix.value c).
Proof. exact: Matrix.check_exact_sound. Qed.

(* With a claimed gap: the two regrets sum to no more, and the game's value lies within it. *)
Theorem matrix_certificate_gap (c : Matrix.certificate) : Matrix.check c ->
  Matrix.eps_nash (Matrix.game c) (Matrix.row c) (Matrix.column c) (Matrix.gap c) /\
  forall v, Matrix.is_value (Matrix.game c) v -> Matrix.value c <= v <= Matrix.value c + Matrix.gap c.
Proof. exact: Matrix.check_sound. Qed.

(* Every matrix game has a value; two players of small regret approach it with their averages. *)
Theorem minimax (I J : finType) (A : I -> J -> R) : (0 < #|I|)%nat -> (0 < #|J|)%nat -> exists v, Matrix.is_value A v.
Proof. exact: Averages.minimax. Qed.

Theorem regret_to_equilibrium (I J : finType) (A : I -> J -> R) x y n (e e' : R) : (0 < n)%nat ->
  (forall t, Matrix.strategy (x t)) -> (forall t, Matrix.strategy (y t)) ->
  (forall x', Matrix.strategy x' -> Averages.row_regret A x y n x' <= INR n * e) ->
  (forall y', Matrix.strategy y' -> Averages.column_regret A x y n y' <= INR n * e') ->
  Matrix.eps_nash A (Averages.average n x) (Averages.average n y) (e + e').
Proof. move=> n0 X Y Rx Ry. exact: (Averages.regret_eps_nash I J A x y n n0 X Y e e' Rx Ry). Qed.

(* Two Hedge players at their best rates, payoffs in [lo, lo + r]. *)
Theorem hedge (I J : finType) (A : I -> J -> R) (lo r : R) x y n :
  (1 < #|I|)%nat -> (1 < #|J|)%nat -> (0 < n)%nat -> 0 < r -> (forall i j, lo <= A i j <= lo + r) ->
  Averages.both_play_hedge A (Averages.hedge_rate #|I| r n) (Averages.hedge_rate #|J| r n) x y ->
  Matrix.eps_nash A (Averages.average n x) (Averages.average n y)
    (r * sqrt (ln (INR #|I|) / (2 * INR n)) + r * sqrt (ln (INR #|J|) / (2 * INR n))).
Proof.
move=> I1 J1 n0 r0 H. apply: (Averages.hedge_eps_nash_best _ _ (ltnW I1) (ltnW J1) A lo r r0 H x y n I1 J1 n0).
Qed.

(* Extensive games of perfect recall: the same for plans in sequence form. *)
Theorem extensive_certificate (c : SequenceForm.certificate) :
  let g := SequenceForm.of_game c in
  let x := SequenceForm.plan_of (SequenceForm.row_plan c) in
  let y := SequenceForm.plan_of (SequenceForm.column_plan c) in
  SequenceForm.check c = true ->
  SequenceForm.guarantees g x (Q2R (SequenceForm.value c)) /\
  SequenceForm.holds_to g y (Q2R (SequenceForm.value c) + Q2R (SequenceForm.gap c)) /\
  SequenceForm.gap_at_most g x y (Q2R (SequenceForm.gap c)) /\
  (QArith_base.Qnum (SequenceForm.gap c) = 0%Z ->
     SequenceForm.equilibrium g x y /\ SequenceForm.value_of g (Q2R (SequenceForm.value c))).
Proof.
move=> g x y C. have [G H] := SequenceForm.check_sound c C. do 2 split=> //. split; first exact: SequenceForm.check_gap.
move=> Z. split; [exact: (proj1 (SequenceForm.check_exact c C Z))|exact: SequenceForm.check_value].
Qed.

(* Generator-classifier games: what an accepted pair guarantees and concedes, hence its gap and the game's value.
   KlGuard.class_of is the full class at the floor 0 and else the clipped one. *)
Theorem guard_certificate (bits : Z) (c : KlGuard.certificate) (V : KlGuard.is_game c) :
  let Q := KlGuard.class_of V in let p := KlGuard.generator_of V in let q := KlGuard.classifier_of V in
  let v := KlGuard.value c in let e := KlGuard.gap c in
  KlGuard.check bits c ->
  (is_generator p /\ forall q', Q q' -> v <= payoff p q') /\
  (Q q /\ forall u, is_generator u -> payoff u q <= v + e) /\
  (forall p' q', nash Q p' q' -> v <= payoff p' q' <= v + e).
Proof.
move=> Q p q v e C. have [G D] := KlGuard.check_sound V C. do 2 split=> //. exact: (KlGuard.check_nash V C).
Qed.

(* Matrix games with a KL term for either player. *)
Theorem kl_matrix_certificate (bits : Z) (c : KlMatrix.certificate) (V : KlMatrix.is_game c) :
  let g := KlMatrix.game_of V in let x := KlMatrix.x_of V in let y := KlMatrix.y_of V in
  KlMatrix.check bits c ->
  KlMatrix.guarantees g x (KlMatrix.value c) /\ KlMatrix.concedes g y (KlMatrix.value c + KlMatrix.gap c) /\
  KlMatrix.eps_nash g x y (KlMatrix.gap c) /\
  (forall x' y', KlMatrix.nash g x' y' ->
     KlMatrix.value c <= KlMatrix.payoff g x' y' <= KlMatrix.value c + KlMatrix.gap c).
Proof.
move=> g x y C. have [G D] := KlMatrix.check_sound V C. do 2 split=> //.
split; [exact: (KlMatrix.check_gap V C)|exact: (KlMatrix.check_nash V C)].
Qed.

(* Matrix games with a KL term per player: in this section the words are those of KlMatrix.v and Regularised.v. *)
Section KlGames.
Import KlMatrix Regularised.

(* Regrets and the gap in closed form: t KL from the one best reply, or at t = 0 what the pure strategies lack. *)
Theorem proposition_7_1 (g : game) x y e : strategy (row_prior g) x -> strategy (column_prior g) y ->
  let r := regret (row_prior g) (row_utilities g y) x in
  let c := regret (column_prior g) (column_utilities g x) y in
  (forall u, row_best g y u -> payoff g u y - payoff g x y = r) /\
  (forall v, column_best g x v -> payoff g x y - payoff g x v = c) /\
  (exploitability g x y e <-> e = r + c) /\ 0 <= r /\ 0 <= c.
Proof. exact: Regularised.proposition_7_1. Qed.

(* Best replies exist; at a positive temperature there is one, r e^(u / t) normalised. *)
Theorem proposition_7_1_replies (g : game) x y :
  let s := temperature (row_prior g) in let r := reference (row_prior g) in
  let t := temperature (column_prior g) in let q := reference (column_prior g) in
  (exists u, row_best g y u) /\ (exists v, column_best g x v) /\
  (0 < s -> forall u, row_best g y u -> forall i, u i = row_reply g y i /\
    u i = r i * exp (row_utilities g y i / s) / \rsum_(k : row_type g) (r k * exp (row_utilities g y k / s))) /\
  (0 < t -> forall v, column_best g x v -> forall j, v j = column_reply g x j /\
    v j = q j * exp (column_utilities g x j / t) / \rsum_(l : column_type g) (q l * exp (column_utilities g x l / t))).
Proof. exact: Regularised.proposition_7_1_replies. Qed.

(* Smoothness relative to entropy, with the least constant. *)
Theorem proposition_7_2 (g : game) (w : R) x u : let t := temperature (column_prior g) in
  0 < t -> interaction g w -> strategy (row_prior g) x -> strategy (row_prior g) u -> (forall i, x i = 0 -> u i = 0) ->
  payoff g u (column_reply g x) - least_payoff g u = t * kl (column_reply g x) (column_reply g u) /\
  0 <= t * kl (column_reply g x) (column_reply g u) <= w ^ 2 / (16 * t) * kl u x.
Proof. exact: Regularised.proposition_7_2. Qed.

(* Payoffs within r of each other: the constant is r^2 / (4 t). *)
Theorem proposition_7_2_range (g : game) (lo r : R) :
  (forall i j, lo <= payoffs g i j <= lo + r) ->
  interaction g (2 * r) /\ forall t, 0 < t -> (2 * r) ^ 2 / (16 * t) = r ^ 2 / (4 * t).
Proof. exact: Regularised.proposition_7_2_range. Qed.

(* No smaller constant in terms of w and t holds for all games. *)
Theorem proposition_7_2_sharp (t w L : R) : 0 < t -> 0 < w ->
  (forall g x u, temperature (column_prior g) = t -> interaction g w ->
    strategy (row_prior g) x -> strategy (row_prior g) u -> (forall i, x i = 0 -> u i = 0) ->
    t * kl (column_reply g x) (column_reply g u) <= L * kl u x) ->
  w ^ 2 / (16 * t) <= L.
Proof. exact: Regularised.proposition_7_2_sharp. Qed.

(* The equilibria of a game with a temperature for the column player: they exist, they are the maximisers of
   G(x) = min_y F(x, y) with their replies, and only x may differ, where the row player has no temperature. *)
Theorem theorem_D_equilibria (g : game) : 0 < temperature (column_prior g) ->
  (exists x y, nash g x y) /\ forall x y x' y', nash g x y ->
  (nash g x' y' <-> [/\ strategy (row_prior g) x',
                        forall u, strategy (row_prior g) u -> least_payoff g u <= least_payoff g x'
                      & forall j, y' j = column_reply g x' j]) /\
  (nash g x' y' -> [/\ forall j, y' j = y j, payoff g x' y' = payoff g x y
                     & 0 < temperature (row_prior g) -> forall i, x' i = x i]).
Proof. exact: Regularised.theorem_D_equilibria. Qed.

(* The row player's proximal best reply to the column player's best reply: the step is the one maximiser. *)
Theorem theorem_D_step (g : game) (tau : R) x u : 0 < tau -> interior (row_prior g) x -> strategy (row_prior g) u ->
  let y := column_reply g x in let x' := run g tau x 1 in
  payoff g u y - tau * kl u x =
  payoff g x' y - tau * kl x' x - (tau + temperature (row_prior g)) * kl u x' /\ 0 <= kl u x'.
Proof. exact: Regularised.theorem_D_step. Qed.

(* Theorem D: the energy balance of a round. *)
Theorem theorem_D (g : game) (tau w : R) x0 xs ys n :
  let s := temperature (row_prior g) in let t := temperature (column_prior g) in
  0 < t -> 0 < tau -> interaction g w -> w ^ 2 / (16 * t) <= tau -> interior (row_prior g) x0 -> nash g xs ys ->
  let x := run g tau x0 in let y n := column_reply g (x n) in
  (tau + s) * kl xs (x n.+1) + s * kl (x n.+1) xs + t * kl ys (y n.+1) + t * kl (y n) ys <= tau * kl xs (x n).
Proof. exact: Regularised.theorem_D. Qed.

(* Strategies and values: D_n falls by 1 + s / tau a round, or values like 1 / n where s = 0. *)
Theorem corollary_D_1 (g : game) (tau w : R) x0 xs ys n :
  let s := temperature (row_prior g) in let t := temperature (column_prior g) in
  0 < t -> 0 < tau -> interaction g w -> w ^ 2 / (16 * t) <= tau -> interior (row_prior g) x0 -> nash g xs ys ->
  let x := run g tau x0 in let y n := column_reply g (x n) in let d := payoff g xs ys - least_payoff g (x n) in
  kl xs (x n) <= kl xs x0 / (1 + s / tau) ^ n /\
  least_payoff g (x n) <= least_payoff g (x n.+1) /\
  t * kl ys (y n) <= d /\ ((1 + s / tau) ^ n - 1) * d <= s * kl xs x0 /\ (s = 0 -> INR n * d <= tau * kl xs x0).
Proof. exact: Regularised.corollary_D_1. Qed.

(* The gap of x_n and the average of the replies before it. *)
Theorem corollary_D_2 (g : game) (tau w k : R) x0 n e :
  let s := temperature (row_prior g) in let t := temperature (column_prior g) in
  0 < t -> 0 < tau -> interaction g w -> w ^ 2 / (16 * t) <= tau -> interior (row_prior g) x0 ->
  (forall u, strategy (row_prior g) u -> kl u x0 <= k) ->
  exploitability g (run g tau x0 n) (average g tau x0 n) e ->
  ((1 + s / tau) ^ n - 1) * e <= s * k /\ (s = 0 -> INR n * e <= tau * k).
Proof. exact: Regularised.corollary_D_2. Qed.

(* From the uniform strategy, where no row is ruled out, k = ln m for m rows. *)
Theorem corollary_D_2_uniform (g : game) : let x0 := fun _ => / INR #|row_type g| in
  (forall i, 0 < reference (row_prior g) i) \/ temperature (row_prior g) = 0 ->
  interior (row_prior g) x0 /\ forall u, strategy (row_prior g) u -> kl u x0 <= ln (INR #|row_type g|).
Proof. exact: Regularised.corollary_D_2_uniform. Qed.

(* The last pair, where both players have a temperature. *)
Theorem corollary_D_3 (g : game) (tau w : R) x0 xs ys n u :
  let s := temperature (row_prior g) in let t := temperature (column_prior g) in
  0 < s -> 0 < t -> 0 < tau -> interaction g w -> w ^ 2 / (16 * t) <= tau ->
  interior (row_prior g) x0 -> nash g xs ys ->
  let y := column_reply g (run g tau x0 n) in row_best g y u ->
  payoff g u y - payoff g xs ys <=
  (1 + w ^ 2 / (16 * s * t)) * (w ^ 2 / (16 * t)) * (kl xs x0 / (1 + s / tau) ^ n).
Proof. exact: Regularised.corollary_D_3. Qed.
End KlGames.
