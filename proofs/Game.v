(* The game between a generator and a classifier (Definitions 1 to 4 of theory/convergence.md).

   Data, the fields of a record so that a theorem starts with "forall g : game":
   seed, label, text   == finite types; lab i is the label of seed i
   rho i               == the weight of seed i, positive, summing to 1
   ref i               == the reference r_i, a distribution over texts that may have zeros
   beta                == temperature of the KL term, in nats of payoff per nat
   anchor y z          == lambda R(y, z), the mass of real texts in the classifier's loss; 0 for none

   is_generator p      == p i is a distribution over texts, 0 where the reference is
   interior p          == a generator that is positive wherever the reference is
   live y z            == some seed of label y, or the real data, can produce text z
   admissible q        == q z y > 0 on the live pairs (Posterior.v: admissible_live), so that the payoff is finite
   class g             == a convex set of admissible tables: what the classifier may choose from
   full, clipped gamma == all conditional distributions q(y|z); those with q(y|z) >= gamma

   avg g f             == sum_i rho_i sum_z f i z
   divergence p u      == D(p, u) = sum_i rho_i KL(p_i || u_i), in nats
   loss q p            == the classifier's expected log-loss, real texts included
   payoff p q          == J(p, q) = loss - beta D(p, ref); the generator raises, the classifier lowers it

   reply Q p q         == q is a best reply to p in the class Q
   generator_reply q   == T_phi q, the generator's best reply in closed form
   step tau p q        == the proximal best reply: maximises J(., q) - tau D(., p); tau = 0 is generator_reply
   nash Q p q          == neither player gains by deviating
   exploitability Q p q e == the two players' regrets at (p, q) sum to e (NashConv, never halved)
   value_against q     == V(q), what the generator can get against q: the payoff of its best reply
   run Q tau p q       == the alternating dynamics: from an interior p 0, q n is a best reply to p n and
                          p (n + 1) is the proximal best reply to q n; tau = 0 is the paper's iteration     *)
From mathcomp Require Import ssreflect ssrfun ssrbool eqtype ssrnat seq choice fintype bigop.
From Coq Require Import Reals.
From Nashguard Require Import Sums.
Open Scope R_scope.

Record game := Game {
  seed : finType;
  label : finType;
  text : finType;
  lab : seed -> label;
  rho : seed -> R;
  ref : seed -> text -> R;
  beta : R;
  anchor : label -> text -> R;
  rho_pos : forall i, 0 < rho i;
  rho_1 : \rsum_(i : seed) rho i = 1;
  ref_ge0 : forall i z, 0 <= ref i z;
  ref_1 : forall i, \rsum_(z : text) ref i z = 1;
  beta_ge0 : 0 <= beta;
  anchor_ge0 : forall y z, 0 <= anchor y z
}.
Arguments lab {g} i : rename.
Arguments rho {g} i : rename.
Arguments ref {g} i z : rename.
Arguments anchor {g} y z : rename.
Arguments rho_pos {g} i : rename.
Arguments ref_ge0 {g} i z : rename.
Arguments ref_1 {g} i : rename.
Arguments anchor_ge0 {g} y z : rename.

Definition generator (g : game) := seed g -> text g -> R.
Definition classifier (g : game) := text g -> label g -> R.

Section Game.
Context {g : game}.
Implicit Types (p u : generator g) (q : classifier g).

Definition is_generator p :=
  (forall i z, 0 <= p i z) /\ (forall i z, ref i z = 0 -> p i z = 0) /\ (forall i, \rsum_(z : text g) p i z = 1).

Definition interior p := is_generator p /\ forall i z, 0 < ref i z -> 0 < p i z.

Definition live (y : label g) (z : text g) := (exists i, lab i = y /\ 0 < ref i z) \/ 0 < anchor y z.

Definition admissible q :=
  (forall i z, 0 < ref i z -> 0 < q z (lab i)) /\ (forall y z, 0 < anchor y z -> 0 < q z y).

Definition mix (e : R) q q' : classifier g := fun z y => (1 - e) * q z y + e * q' z y.

Definition avg (f : seed g -> text g -> R) := \rsum_(i : seed g) (rho i * \rsum_(z : text g) f i z).

Definition real_loss q := \rsum_(y : label g) \rsum_(z : text g) (anchor y z * - ln (q z y)).

Definition divergence p u := avg (fun i z => p i z * ln (p i z / u i z)).

Definition loss p q := avg (fun i z => p i z * - ln (q z (lab i))) + real_loss q.

Definition payoff p q := loss p q - beta g * divergence p ref.

(* The weight of z before normalising: (p^tau r^beta / q)^(1/(tau + beta)) on the reference's support. *)
Definition weight (tau : R) p q i z :=
  if Rlt_dec 0 (ref i z)
  then exp ((tau * ln (p i z) + beta g * ln (ref i z) - ln (q z (lab i))) / (tau + beta g))
  else 0.

Definition normaliser tau p q i := \rsum_(z : text g) weight tau p q i z.

Definition step tau p q : generator g := fun i z => weight tau p q i z / normaliser tau p q i.

Definition generator_reply q : generator g := step 0 ref q.
End Game.

Record class (g : game) := Class {
  member :> classifier g -> Prop;
  member_admissible : forall q, member q -> admissible q;
  member_convex : forall q q' e, member q -> member q' -> 0 <= e <= 1 -> member (mix e q q')
}.
Arguments member_admissible {g} Q q : rename.
Arguments member_convex {g} Q q q' e : rename.

Section Equilibrium.
Context {g : game}.
Implicit Types (Q : class g) (p u : generator g) (q : classifier g).

Definition reply Q p q := Q q /\ forall q', Q q' -> payoff p q <= payoff p q'.

Definition nash Q p q :=
  is_generator p /\ (forall u, is_generator u -> payoff u q <= payoff p q) /\ reply Q p q.

Definition exploitability Q p q (e : R) :=
  exists u q', is_generator u /\ (forall u', is_generator u' -> payoff u' q <= payoff u q) /\
    reply Q p q' /\ e = (payoff u q - payoff p q) + (payoff p q - payoff p q').

Definition value_against q := payoff (generator_reply q) q.

Definition run Q tau (p : nat -> generator g) (q : nat -> classifier g) :=
  interior (p 0%nat) /\ forall n, reply Q (p n) (q n) /\ p n.+1 = step tau (p n) (q n).
End Equilibrium.

Definition is_conditional {g : game} (q : classifier g) :=
  (forall z y, 0 <= q z y) /\ forall z, \rsum_(y : label g) q z y = 1.

Section Classes.
Variable g : game.
Implicit Types q : classifier g.

Lemma mix_pos e a b : 0 < a -> 0 < b -> 0 <= e <= 1 -> 0 < (1 - e) * a + e * b.
Proof.
move=> Ha Hb [H0 H1]. case: (Rle_lt_or_eq_dec _ _ H0) => [E|<-].
- apply: Rplus_le_lt_0_compat; first by apply: Rmult_le_pos; [apply: Rge_le; exact: Rge_minus (Rle_ge _ _ H1)|left].
  exact: Rmult_lt_0_compat.
- by rewrite Rminus_0_r Rmult_1_l Rmult_0_l Rplus_0_r.
Qed.

Lemma mix_admissible q q' e : admissible q -> admissible q' -> 0 <= e <= 1 -> admissible (mix e q q').
Proof. move=> [A B] [A' B'] He; split=> [i z H|y z H]; apply: mix_pos => //; auto. Qed.

Lemma mix_conditional q q' e : is_conditional q -> is_conditional q' -> 0 <= e <= 1 -> is_conditional (mix e q q').
Proof.
move=> [A B] [A' B'] [H0 H1]; split=> [z y|z].
- apply: Rplus_le_le_0_compat; apply: Rmult_le_pos => //. apply: Rge_le; exact: Rge_minus (Rle_ge _ _ H1).
- rewrite rsum_add !rsum_scal B B'; ring.
Qed.

Definition full : class g.
Proof.
exists (fun q => is_conditional q /\ admissible q); first by move=> q [].
move=> q q' e [A B] [A' B'] He. split; [exact: mix_conditional|exact: mix_admissible].
Defined.

Definition clipped (gamma : R) : 0 < gamma -> class g.
Proof.
move=> Hg. exists (fun q => is_conditional q /\ forall z y, gamma <= q z y).
- move=> q [_ H]; split=> ? ? _; exact: Rlt_le_trans Hg (H _ _).
- move=> q q' e [A B] [A' B'] He. split; first exact: mix_conditional.
  move=> z y. have E : gamma = (1 - e) * gamma + e * gamma by ring. rewrite {1}E.
  apply: Rplus_le_compat; apply: Rmult_le_compat_l => //; last by case: He.
  by apply: Rge_le; apply: Rge_minus; apply: Rle_ge; case: He.
Defined.
End Classes.
