(* Theorem C: the paper's own iteration (tau = 0, alternating best replies) converges for every beta > 1.
   Any class, any anchor, any start.

   reply_step      == one round: beta (V(q') - V* ) <= V(q) - V* , q' a best reply to T_phi q
   undamped_linear == V(q_n) - V* <= (V(q_0) - V* ) / beta^n
   reply_distance  == beta D(p*, T_phi q) <= V(q) - V* , for every q
   undamped_gap    == the gap of (p_{n+2}, q_{n+2}) is at most (V(q_n) - V* ) / (beta - 1)
   simultaneous Q p q == both players reply to the last round; simultaneous_linear: the rate is per two rounds
   undamped_start  == from q_0 = the best reply to ref, V(q_0) - V* <= D(T_phi q_0, ref)          *)
From mathcomp Require Import ssreflect ssrfun ssrbool eqtype ssrnat seq choice fintype bigop.
From Coq Require Import Reals Lra Psatz.
From Nashguard Require Import Sums Logs Game Replies Smooth Damped.
Open Scope R_scope.

Section Undamped.
Context {g : game}.
Implicit Types (Q : class g) (p u : generator g) (q : classifier g).

(* Both bounds on V(q') come from smoothness at p = T_phi q, against q itself and against q*. *)
Lemma reply_bounds Q ps qs q q1 : 0 < beta g -> nash Q ps qs -> Q q -> reply Q (generator_reply q) q1 ->
  let a := divergence (generator_reply q1) (generator_reply q) in
  value_against q1 <= value_against q - (beta g - 1) * a /\ value_against q1 <= payoff ps qs + a.
Proof.
move=> B [Hs [M [HQs _]]] HQ Rq a. have I := generator_reply_interior q. have I1 := generator_reply_interior q1.
have A := regret B (generator_reply q1) q (member_admissible Q q HQ) (proj1 I1).
have S := smooth Q _ _ q1 q I (proj1 I1) Rq HQ. have S' := smooth Q _ _ q1 qs I (proj1 I1) Rq HQs.
have := M _ (proj1 I1). rewrite /value_against -/a in A S S' *. lra.
Qed.

Theorem reply_step Q ps qs q q1 : 1 <= beta g -> nash Q ps qs -> Q q -> reply Q (generator_reply q) q1 ->
  beta g * (value_against q1 - payoff ps qs) <= value_against q - payoff ps qs.
Proof. move=> B N HQ Rq. have [] := reply_bounds Q ps qs q q1 (Rlt_le_trans _ _ _ Rlt_0_1 B) N HQ Rq. nra. Qed.

Theorem reply_distance Q ps qs q : 0 < beta g -> nash Q ps qs -> Q q ->
  beta g * divergence ps (generator_reply q) <= value_against q - payoff ps qs.
Proof.
move=> B [Hs [M [HQs Mq]]] HQ. have := regret B ps q (member_admissible Q q HQ) Hs. have := Mq q HQ.
rewrite /value_against; lra.
Qed.

Section Trajectory.
Variables (Q : class g) (p : nat -> generator g) (q : nat -> classifier g) (ps : generator g) (qs : classifier g).
Hypotheses (HR : run Q 0 p q) (N : nash Q ps qs).

(* Without damping a step forgets the generator it starts from. *)
Lemma undamped_step n : p n.+1 = step 0 (p n) (q n) /\ forall i z, p n.+1 i z = generator_reply (q n) i z.
Proof.
have E := proj2 (proj2 HR n). split=> // i z. rewrite E /generator_reply /step /normaliser.
have W t : weight 0 (p n) (q n) i t = weight 0 ref (q n) i t by rewrite /weight !Rmult_0_l.
by rewrite W (rsum_ext _ _ (weight 0 ref (q n) i)).
Qed.

Lemma divergence_ext u u' v v' : (forall i z, u i z = u' i z) -> (forall i z, v i z = v' i z) ->
  divergence u v = divergence u' v' :> R.
Proof. move=> E E'. apply: avg_ext => i z. by rewrite E E'. Qed.

Lemma payoff_ext u u' c : (forall i z, u i z = u' i z) -> payoff u c = payoff u' c :> R.
Proof.
move=> E. rewrite /payoff (divergence_ext u u' ref ref E) // /loss. congr (_ + _ - _).
apply: avg_ext => i z. by rewrite E.
Qed.

Lemma undamped_reply n : reply Q (generator_reply (q n)) (q n.+1).
Proof.
have [HQ M] := run_reply _ _ _ _ HR n.+1. have E := proj2 (undamped_step n). split=> // q' HQ'.
rewrite -!(payoff_ext _ _ _ E). exact: M.
Qed.

Theorem undamped_linear n : 1 < beta g ->
  value_against (q n) - payoff ps qs <= (value_against (q 0%nat) - payoff ps qs) / beta g ^ n.
Proof.
move=> B. elim: n => [|n IH]; first by rewrite /= /Rdiv Rinv_1; lra.
have S := reply_step Q ps qs (q n) (q n.+1) ltac:(lra) N (proj1 (run_reply _ _ _ _ HR n)) (undamped_reply n).
have P : 0 < beta g ^ n by apply: pow_lt; lra.
apply: (Rmult_le_reg_l (beta g)); first lra. apply: Rle_trans S _. apply: Rle_trans IH _.
right. rewrite /=. field. lra.
Qed.

Theorem undamped_distance n : 1 < beta g ->
  beta g * divergence ps (p n.+1) <= (value_against (q 0%nat) - payoff ps qs) / beta g ^ n.
Proof.
move=> B. have D := reply_distance Q ps qs (q n) ltac:(lra) N (proj1 (run_reply _ _ _ _ HR n)).
rewrite (divergence_ext ps ps (p n.+1) (generator_reply (q n))) //; last exact: (proj2 (undamped_step n)).
have := undamped_linear n B. lra.
Qed.

Theorem undamped_gap n e : 1 < beta g -> exploitability Q (p n.+2) (q n.+2) e ->
  (beta g - 1) * e <= value_against (q n) - payoff ps qs.
Proof.
move=> B. have HQ k := proj1 (run_reply _ _ _ _ HR k). have B0 : 0 < beta g by lra.
have Hp2 := run_generator _ _ _ _ HR n.+2.
move=> /(gap B0 Q (p n.+2) (q n.+2) (q n.+2) e Hp2 (HQ _) (run_reply _ _ _ _ HR n.+2)) ->.
(* P k is the generator's reply to q (n + k); one more round compares P 1, P 2 and the two classifiers between. *)
pose P k := generator_reply (q (n + k)%nat).
have E1 : divergence (p n.+2) (generator_reply (q n.+2)) = divergence (P 1%nat) (P 2%nat).
{ apply: divergence_ext => i z; last by rewrite /P addn2. by rewrite /P addn1 (proj2 (undamped_step n.+1)). }
rewrite E1.
have [X Y] := reply_bounds Q ps qs (q n) (q n.+1) B0 N (HQ n) (undamped_reply n).
have I k : interior (P k) by exact: generator_reply_interior.
have R1 := undamped_reply n. have R2 := undamped_reply n.+1.
have S1 := smooth Q (generator_reply (q n)) (generator_reply (q n.+1)) (q n.+1) (q n.+2)
  (generator_reply_interior _) (proj1 (generator_reply_interior _)) R1 (HQ n.+2).
have S2 := smooth Q (generator_reply (q n.+1)) (generator_reply (q n.+2)) (q n.+2) (q n.+1)
  (generator_reply_interior _) (proj1 (generator_reply_interior _)) R2 (HQ n.+1).
have A1 := regret B0 (generator_reply (q n.+2)) (q n.+1) (member_admissible Q _ (HQ n.+1)) (proj1
  (generator_reply_interior _)).
have A2 := regret B0 (generator_reply (q n.+1)) (q n.+2) (member_admissible Q _ (HQ n.+2)) (proj1
  (generator_reply_interior _)).
have D := divergence_ge0 (generator_reply (q n.+2)) (generator_reply (q n.+1)) (proj1 (generator_reply_interior _))
  (generator_reply_interior _).
have V : payoff ps qs <= value_against (q n.+1).
{ have := reply_distance Q ps qs (q n.+1) B0 N (HQ n.+1).
  have := divergence_ge0 ps (generator_reply (q n.+1)) (proj1 N) (generator_reply_interior _). nra. }
rewrite /P addn1 addn2. rewrite /value_against in X Y V S1 S2 A1 A2 *.
set a := divergence (generator_reply (q n.+1)) (generator_reply (q n)) in X Y S1 *.
set b := divergence (generator_reply (q n.+2)) (generator_reply (q n.+1)) in S2 A1 D *.
set c := divergence (generator_reply (q n.+1)) (generator_reply (q n.+2)) in A2 *.
have : beta g * c <= a by nra.
nra.
Qed.

End Trajectory.

Theorem undamped_start Q ps qs q : nash Q ps qs -> reply Q ref q ->
  value_against q - payoff ps qs <= divergence (generator_reply q) ref.
Proof.
move=> [_ [M [HQs _]]] Rq. have I := proj1 (generator_reply_interior q).
have := smooth Q ref (generator_reply q) q qs reference_interior I Rq HQs. have := M _ I. rewrite /value_against; lra.
Qed.

(* Proposition 5: simultaneous best replies are two alternating runs, interleaved. *)
Definition simultaneous Q (p : nat -> generator g) (q : nat -> classifier g) :=
  Q (q 0%nat) /\ forall n, p n.+1 = generator_reply (q n) /\ reply Q (p n) (q n.+1).

Theorem simultaneous_linear Q (p : nat -> generator g) (q : nat -> classifier g) ps qs n :
  1 <= beta g -> nash Q ps qs -> simultaneous Q p q ->
  beta g * (value_against (q n.+2) - payoff ps qs) <= value_against (q n) - payoff ps qs.
Proof.
move=> B N [Q0 S]. have HQ : Q (q n) by case: n => [//|n]; exact: (proj1 (proj2 (S n))).
apply: (reply_step Q ps qs (q n) _ B N HQ). rewrite -(proj1 (S n)). exact: (proj2 (S n.+1)).
Qed.
End Undamped.
