(* The equilibrium (Theorem 1): unique, the fixed point of the two best replies, certified by the gap (it exists:
   Existence.v).
   Here (ps, qs) is an equilibrium, V* its value payoff ps qs, and G(p) = payoff p q with q a best reply to p.

   gap_zero            == (p, q) is an equilibrium exactly when its exploitability is 0
   nash_fixed_point    == exactly when p = T_phi q and q is a best reply to p
   nash_interior       == its generator is positive wherever the reference is
   nash_unique         == two equilibria have the same generator and value, and the same classifier on live pairs
   nash_full_unique, nash_clipped_unique == and the same row of the classifier wherever there is mass
   nash_replies        == the equilibria are the pairs of ps and a best reply to ps
   nash_value          == V* - G(p) = beta D(p, ps) + C(p, ps), so ps maximises G; and V* is the least V(q)
   gap_distances       == a gap of e certifies beta D(ps, T_phi q) <= e and beta D(p, ps) <= e              *)
From mathcomp Require Import ssreflect ssrfun ssrbool eqtype ssrnat seq choice fintype bigop.
From Coq Require Import Reals Lra Psatz.
From Nashguard Require Import Sums Logs Game Replies Smooth Damped Undamped Posterior.
Open Scope R_scope.

Section Characterisation.
Context {g : game}.
Implicit Types (Q : class g) (p u : generator g) (q c : classifier g).
Hypothesis beta_pos : 0 < beta g.

Theorem gap_zero Q p q : is_generator p -> Q q -> exploitability Q p q 0 <-> nash Q p q.
Proof.
move=> Hp HQ. split=> [[u [c [Hu [Mu [[Hc Mc] E]]]]]|[_ [M R]]].
- have A := Mu p Hp. have B := Mc q HQ. split=> //. split=> [v Hv|]; first by have := Mu v Hv; lra.
  split=> // d Hd. have := Mc d Hd. lra.
- exists p, q. do 3 split=> //. ring.
Qed.

Theorem nash_fixed_point Q p q :
  nash Q p q <-> is_generator p /\ (forall i z, p i z = generator_reply q i z) /\ reply Q p q.
Proof.
split=> [[Hp [M R]]|[Hp [E R]]]; have A := member_admissible Q q (proj1 R).
- split=> //. split=> //. apply: reply_unique => //. apply: M. exact: (proj1 (generator_reply_interior q)).
- split=> //. split=> // u Hu. rewrite (payoff_ext p _ q E). exact: reply_max.
Qed.

Lemma nash_interior Q p q : nash Q p q -> interior p.
Proof.
move=> /nash_fixed_point [Hp [E _]]. split=> // i z H. rewrite E. exact: (proj2 (generator_reply_interior q)).
Qed.

(* Two saddle points: p q' is squeezed between the two values, and each generator is the only best reply. *)
Theorem nash_unique Q p q p' q' : nash Q p q -> nash Q p' q' ->
  (forall i z, p i z = p' i z) /\ payoff p q = payoff p' q' /\ forall y z, live y z -> q z y = q' z y.
Proof.
move=> N N'. have I := nash_interior Q p q N. have I' := nash_interior Q p' q' N'.
have [E _] := nash_regret Q p q p' beta_pos N (proj1 I'). rewrite (nash_divergence Q p q p' beta_pos N (proj1 I')) in E.
have [E' _] := nash_regret Q p' q' p beta_pos N' (proj1 I).
rewrite (nash_divergence Q p' q' p beta_pos N' (proj1 I)) in E'.
have [_ [_ [HQ M]]] := N. have [_ [_ [HQ' M']]] := N'. have L := M q' HQ'. have L' := M' q HQ.
have D := divergence_ge0 p p' (proj1 I) I'. have D' := divergence_ge0 p' p (proj1 I') I.
have Z : divergence p p' = 0 by nra.
have P := divergence_eq0 p p' (proj1 I) I' Z.
have V : payoff p q = payoff p' q' by rewrite !(payoff_ext p p' _ P) in L *; lra.
split=> //. split=> // y z H. apply: (reply_live Q p) H => //; split=> // c Hc. rewrite !(payoff_ext p p' _ P).
exact: M'.
Qed.

Lemma generator_reply_live q q' : (forall y z, live y z -> q z y = q' z y) ->
  forall i z, generator_reply q i z = generator_reply q' i z :> R.
Proof.
move=> H i z. have W t : weight 0 ref q i t = weight 0 ref q' i t.
{ rewrite /weight. case: Rlt_dec => //= R. rewrite H //. by left; exists i. }
by rewrite /generator_reply /step W /normaliser (rsum_ext _ _ _ W).
Qed.

Theorem nash_replies Q p q q' : nash Q p q -> nash Q p q' <-> reply Q p q'.
Proof.
move=> N. split=> [[_ [_ //]]|R]. have I := nash_interior Q p q N. have [Hp [E R0]] := proj1 (nash_fixed_point Q p q) N.
apply/nash_fixed_point. split=> //. split=> // i z. rewrite E. apply: generator_reply_live => y t L.
exact: (reply_live Q p).
Qed.

Theorem nash_full_unique p q p' q' : nash (full g) p q -> nash (full g) p' q' ->
  (forall i z, p i z = p' i z) /\ forall z, 0 < text_mass p z -> forall y, q z y = q' z y.
Proof.
move=> N N'. have [E _] := nash_unique _ p q p' q' N N'. split=> // z H y.
have I := nash_interior _ p q N. have [_ [_ [HQ M]]] := N'. have R : reply (full g) p q'.
{ split=> // c Hc. rewrite !(payoff_ext p p' _ E). exact: M. }
by rewrite (posterior_unique p q) ?(posterior_unique p q') //; case: N => _ [].
Qed.

Theorem nash_clipped_unique gamma (H : 0 < gamma) p q p' q' : INR #|label g| * gamma <= 1 ->
  nash (clipped g gamma H) p q -> nash (clipped g gamma H) p' q' ->
  (forall i z, p i z = p' i z) /\ forall z, 0 < text_mass p z -> forall y, q z y = q' z y.
Proof.
move=> G N N'. have [E _] := nash_unique _ p q p' q' N N'. split=> // z Hz y.
have I := nash_interior _ p q N. have [_ [_ [HQ M]]] := N'. have R : reply (clipped g gamma H) p q'.
{ split=> // c Hc. rewrite !(payoff_ext p p' _ E). exact: M. }
by rewrite (clipped_unique gamma H G p q) ?(clipped_unique gamma H G p q') //; case: N => _ [].
Qed.

(* With q' a best reply to p, payoff p q' is G(p) and payoff p qs - payoff p q' is C(p, ps). *)
Theorem nash_value Q ps qs p q' : nash Q ps qs -> is_generator p -> reply Q p q' ->
  payoff ps qs - payoff p q' = beta g * divergence p ps + (payoff p qs - payoff p q') /\
  payoff p q' <= payoff p qs <= payoff ps qs /\ forall q, Q q -> payoff ps qs <= value_against q.
Proof.
move=> N Hp [_ M]. have [E _] := nash_regret Q ps qs p beta_pos N Hp.
rewrite (nash_divergence Q ps qs p beta_pos N Hp) in E.
have [Hs [B [HQ M']]] := N. split; [lra|split; [split; [exact: M|exact: B]|move=> q Hq]].
have := reply_max beta_pos ps q (member_admissible Q q Hq) Hs. have := M' q Hq. rewrite /value_against; lra.
Qed.

(* Proposition 3, last part. *)
Theorem gap_distances Q ps qs p q e : nash Q ps qs -> is_generator p -> Q q -> exploitability Q p q e ->
  beta g * divergence ps (generator_reply q) <= e /\ beta g * divergence p ps <= e.
Proof.
move=> N Hp Hq [u [q' [Hu [Mu [R ->]]]]]. have [E [L U]] := nash_value Q ps qs p q' N Hp R.
have := reply_distance Q ps qs q beta_pos N Hq. have := Mu _ (proj1 (generator_reply_interior q)).
have := U q Hq. rewrite /value_against.
have : 0 <= divergence p ps by apply: divergence_ge0 (nash_interior _ _ _ N). nra.
Qed.
End Characterisation.
