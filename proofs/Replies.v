(* Best replies of the generator and the gap in closed form (Propositions 2 and 3).

   step_identity  == J(u, q) - tau D(u, p) = step_constant tau p q - (tau + beta) D(u, step tau p q), for every u
   regret         == J(T_phi q, q) - J(p, q) = beta D(p, T_phi q): the generator's regret, for every p
   reply_max      == T_phi q is a best reply; reply_unique: the only one (beta > 0)
   gap            == exploitability = beta D(p, T_phi q) + the classifier's regret               *)
From mathcomp Require Import ssreflect ssrfun ssrbool eqtype ssrnat seq choice fintype bigop.
From Coq Require Import Reals Lra Psatz.
From Nashguard Require Import Sums Logs Game.
Open Scope R_scope.

Section Averages.
Context {g : game}.
Implicit Types (f h : seed g -> text g -> R) (p u : generator g) (q : classifier g).

Lemma avg_ext f h : (forall i z, f i z = h i z) -> avg f = avg h.
Proof. move=> H. apply: rsum_ext => i; congr (_ * _); exact: rsum_ext. Qed.

Lemma avg_le f h : (forall i z, f i z <= h i z) -> avg f <= avg h.
Proof. move=> H. apply: rsum_le => i; apply: Rmult_le_compat_l; [left; exact: rho_pos|exact: rsum_le]. Qed.

Lemma avg_add f h : avg (fun i z => f i z + h i z) = avg f + avg h.
Proof. rewrite /avg -rsum_add; apply: rsum_ext => i; rewrite rsum_add; ring. Qed.

Lemma avg_scal c f : avg (fun i z => c * f i z) = c * avg f.
Proof. rewrite /avg -rsum_scal; apply: rsum_ext => i; rewrite rsum_scal; ring. Qed.

Lemma avg_sub f h : avg (fun i z => f i z - h i z) = avg f - avg h.
Proof. rewrite /avg -rsum_sub; apply: rsum_ext => i; rewrite rsum_sub; ring. Qed.

Lemma avg_ge0 f : (forall i z, 0 <= f i z) -> 0 <= avg f.
Proof. move=> H. apply: rsum_ge0 => i. apply: Rmult_le_pos; [left; exact: rho_pos|exact: rsum_ge0]. Qed.

(* An average of nonnegative numbers that is 0 has no positive term: every weight rho_i is positive. *)
Lemma avg_eq0 f : (forall i z, 0 <= f i z) -> avg f = 0 -> forall i z, f i z = 0.
Proof.
move=> H E i. apply: rsum_eq0 => //.
have := rsum_eq0 _ (fun j => rho j * \rsum_(z : text g) f j z) _ E i => /= W.
have {}W : (rho i * \rsum_(z : text g) f i z) = 0.
{ apply: W => j. apply: Rmult_le_pos; [left; exact: rho_pos|exact: rsum_ge0]. }
have := rho_pos i. have := Rmult_integral _ _ W. lra.
Qed.

Lemma avg_seeds p (c : seed g -> R) : is_generator p ->
  avg (fun i z => p i z * c i) = \rsum_(i : seed g) (rho i * c i).
Proof. case=> _ [_ H]. apply: rsum_ext => i. rewrite rsum_scalr H; ring. Qed.

Lemma avg_generator p : is_generator p -> avg p = 1.
Proof.
move=> H. rewrite (avg_ext p (fun i z => p i z * 1)); last by move=> *; ring.
rewrite avg_seeds // -[RHS](rho_1 g). apply: rsum_ext => i; ring.
Qed.

(* A generator is positive only on the reference's support. *)
Lemma generator_support p i z : is_generator p -> p i z = 0 \/ (0 < p i z /\ 0 < ref i z).
Proof.
case=> [A [B _]]. case: (A i z) => [H|<-]; last by left. right; split=> //.
case: (ref_ge0 i z) => // E. have := B i z (esym E). lra.
Qed.

Lemma generator_le1 p i z : is_generator p -> p i z <= 1.
Proof. move=> [A [_ B]]. rewrite -(B i). exact: (rsum_single_le _ (p i) z (A i)). Qed.

Lemma divergence_ext p p' u u' : (forall i z, p i z = p' i z) -> (forall i z, u i z = u' i z) ->
  divergence p u = divergence p' u' :> R.
Proof. move=> E E'. apply: avg_ext => i z. by rewrite E E'. Qed.

Lemma payoff_ext p p' q : (forall i z, p i z = p' i z) -> payoff p q = payoff p' q :> R.
Proof.
move=> E. rewrite /payoff (divergence_ext p p' ref ref E) // /loss. congr (_ + _ - _).
apply: avg_ext => i z. by rewrite E.
Qed.

Lemma reference_interior : interior (@ref g).
Proof. do !split=> //; [exact: ref_ge0|exact: ref_1]. Qed.

(* Gibbs' inequality, term by term: a divergence is an average of the nonnegative p ln (p / u) - (p - u). *)
Lemma gibbs_term p u i z : is_generator p -> interior u -> 0 <= p i z * ln (p i z / u i z) - (p i z - u i z).
Proof.
move=> Hp [Hu Pu]. case: (generator_support p i z Hp) => [->|[A B]]; first by have := proj1 Hu i z; lra.
have := gibbs_le (p i z) (u i z) (Rlt_le _ _ A) (Pu i z B). lra.
Qed.

Lemma divergence_gibbs p u : is_generator p -> is_generator u ->
  divergence p u = avg (fun i z => p i z * ln (p i z / u i z) - (p i z - u i z)).
Proof. move=> Hp Hu. rewrite !avg_sub (avg_generator p) // (avg_generator u) // /divergence. ring. Qed.

Lemma divergence_ge0 p u : is_generator p -> interior u -> 0 <= divergence p u.
Proof. move=> Hp Iu. rewrite (divergence_gibbs p u Hp (proj1 Iu)). apply: avg_ge0 => i z. exact: gibbs_term. Qed.

Lemma divergence_term p u i z : is_generator p -> interior u ->
  rho i * (p i z * ln (p i z / u i z) - (p i z - u i z)) <= divergence p u.
Proof.
move=> Hp Iu. rewrite (divergence_gibbs p u Hp (proj1 Iu)).
set f := fun i z => p i z * ln (p i z / u i z) - (p i z - u i z).
have f0 j t : 0 <= f j t := gibbs_term p u j t Hp Iu.
have S j : 0 <= rho j * \rsum_(t : text g) f j t by apply: Rmult_le_pos; [left; exact: rho_pos|exact: rsum_ge0].
apply: Rle_trans (rsum_single_le _ _ i S). apply: Rmult_le_compat_l; first by left; exact: rho_pos.
exact: (rsum_single_le _ (f i)).
Qed.

Lemma divergence_self p : is_generator p -> divergence p p = 0.
Proof.
move=> Hp. rewrite /divergence (avg_ext _ (fun i z => 0 * p i z)) ?avg_scal; first ring.
move=> i z. case: (generator_support p i z Hp) => [->|[A _]]; first ring.
rewrite /Rdiv Rinv_r ?ln_1; lra.
Qed.

(* D(p, u) = 0 only at p = u: Gibbs' inequality is strict. *)
Lemma divergence_eq0 p u : is_generator p -> interior u -> divergence p u = 0 -> forall i z, p i z = u i z.
Proof.
move=> Hp Iu H i z. rewrite (divergence_gibbs p u Hp (proj1 Iu)) in H.
have := avg_eq0 _ (fun j t => gibbs_term p u j t Hp Iu) H i z.
case: (generator_support p i z Hp) => [->|[A B]]; first lra. case: (Req_dec (p i z) (u i z)) => // Hne.
have := gibbs_lt (p i z) (u i z) (Rlt_le _ _ A) (proj2 Iu i z B) Hne. lra.
Qed.
End Averages.

Section Step.
Context {g : game}.
Implicit Types (p u : generator g) (q : classifier g) (tau : R).

Lemma weight_ge0 tau p q i z : 0 <= weight tau p q i z.
Proof. rewrite /weight. case: Rlt_dec => H /=; [left; exact: exp_pos|lra]. Qed.

Lemma weight_pos tau p q i z : 0 < ref i z -> 0 < weight tau p q i z.
Proof. rewrite /weight. case: Rlt_dec => //= H _; exact: exp_pos. Qed.

Lemma normaliser_pos tau p q i : 0 < normaliser tau p q i.
Proof.
have := rsum_ge0 _ _ (weight_ge0 tau p q i); rewrite -/(normaliser tau p q i) => H.
case: (Rle_lt_or_eq_dec _ _ H) => // E. exfalso.
have W := rsum_eq0 _ _ (weight_ge0 tau p q i) (esym E).
have R0 : \rsum_(z : text g) ref i z = 0.
{ rewrite -[RHS](rsum_0 (text g)). apply: rsum_ext => z. case: (ref_ge0 i z) => // Hz.
  have := weight_pos tau p q i z Hz. rewrite W. lra. }
have := ref_1 i. lra.
Qed.

Lemma step_interior tau p q : interior (step tau p q).
Proof.
have N i := normaliser_pos tau p q i. do !split.
- move=> i z. apply: Rmult_le_pos; [exact: weight_ge0|left; exact: Rinv_0_lt_compat].
- move=> i z H. rewrite /step /weight. case: Rlt_dec => H' /=; [lra|exact: Rmult_0_l].
- move=> i. rewrite /step /Rdiv rsum_scalr -/(normaliser tau p q i). apply: Rinv_r. have := N i; lra.
- move=> i z H. apply: Rdiv_lt_0_compat => //; exact: weight_pos.
Qed.

Definition step_constant tau p q :=
  real_loss q + \rsum_(i : seed g) (rho i * ((tau + beta g) * ln (normaliser tau p q i))).

(* Gibbs' identity: what is left of the regularised payoff is a divergence from its maximiser. *)
Lemma step_identity tau p q u : 0 < tau + beta g -> interior p -> admissible q -> is_generator u ->
  payoff u q - tau * divergence u p = step_constant tau p q - (tau + beta g) * divergence u (step tau p q).
Proof.
move=> Hk [Hp Pp] [Aq _] Hu. rewrite /payoff /loss /divergence /step_constant -(avg_seeds u) // -!avg_scal.
set L := avg _. set K := avg _. set D := avg _. set N := avg _. set S := avg _.
suff : L - K - D = N - S by lra.
rewrite /L /K /D /N /S -!avg_sub. apply: avg_ext => i z.
case: (generator_support u i z Hu) => [->|[A B]]; first ring.
have C := Pp i z B. have E := Aq i z B. have M := normaliser_pos tau p q i.
rewrite /step !ln_div //; [|exact: weight_pos|apply: Rdiv_lt_0_compat => //; exact: weight_pos].
rewrite /weight. case: Rlt_dec => //= H. rewrite ln_exp. field. lra.
Qed.

Lemma step_maximal tau p q u : 0 < tau + beta g -> interior p -> admissible q -> is_generator u ->
  payoff u q - tau * divergence u p =
  payoff (step tau p q) q - tau * divergence (step tau p q) p - (tau + beta g) * divergence u (step tau p q).
Proof.
move=> Hk Ip Aq Hu. have Is := step_interior tau p q. rewrite (step_identity tau p q u) //.
rewrite (step_identity tau p q (step tau p q)) //; last exact: (proj1 Is).
rewrite divergence_self; last exact: (proj1 Is). ring.
Qed.
End Step.

Section Reply.
Context {g : game}.
Implicit Types (Q : class g) (p u : generator g) (q : classifier g).
Hypothesis beta_pos : 0 < beta g.

Lemma generator_reply_interior q : interior (generator_reply q).
Proof. exact: step_interior. Qed.

Lemma weight_power q i z : weight 0 ref q i z = ref i z * Rpower (q z (lab i)) (- / beta g).
Proof.
rewrite /weight. case: Rlt_dec => /= H.
- rewrite /Rpower -[X in _ = X * _](exp_ln _ H) -exp_plus. congr exp. field. lra.
- have -> : ref i z = 0 by have := ref_ge0 i z; lra. by rewrite Rmult_0_l.
Qed.

(* The textbook form r q^(-1/beta) / Z. *)
Lemma generator_reply_closed q i z : generator_reply q i z =
  ref i z * Rpower (q z (lab i)) (- / beta g) / \rsum_(t : text g) (ref i t * Rpower (q t (lab i)) (- / beta g)).
Proof. by rewrite /generator_reply /step weight_power /normaliser (rsum_ext _ _ _ (weight_power q i)). Qed.

(* Proposition 2: the regret of every generator is beta times its divergence from the best reply. *)
Theorem regret p q : admissible q -> is_generator p ->
  payoff (generator_reply q) q - payoff p q = beta g * divergence p (generator_reply q).
Proof.
move=> Aq Hp. have := step_maximal 0 ref q p _ reference_interior Aq Hp. rewrite -/(generator_reply q) Rplus_0_l.
move=> /(_ beta_pos). lra.
Qed.

Theorem reply_max p q : admissible q -> is_generator p -> payoff p q <= payoff (generator_reply q) q.
Proof.
move=> Aq Hp. have := regret p q Aq Hp. have := divergence_ge0 p _ Hp (generator_reply_interior q). nra.
Qed.

Theorem reply_unique p q : admissible q -> is_generator p -> payoff (generator_reply q) q <= payoff p q ->
  forall i z, p i z = generator_reply q i z.
Proof.
move=> Aq Hp H. apply: divergence_eq0 => //; first exact: generator_reply_interior.
have := regret p q Aq Hp. have := divergence_ge0 p _ Hp (generator_reply_interior q). nra.
Qed.

(* Proposition 3. *)
Theorem gap Q p q q' e : is_generator p -> Q q -> reply Q p q' ->
  exploitability Q p q e <-> e = beta g * divergence p (generator_reply q) + (payoff p q - payoff p q').
Proof.
move=> Hp HQ [Q' M]. have Aq := member_admissible Q q HQ. have R := regret p q Aq Hp.
have It := proj1 (generator_reply_interior q). split.
- move=> [u [c [Hu [Mu [[Qc Mc] ->]]]]]. have A := Mu _ It. have B := reply_max u q Aq Hu.
  have C := Mc q' Q'. have D := M c Qc. lra.
- move=> ->. exists (generator_reply q), q'. do !split=> //; last lra. move=> u Hu; exact: reply_max.
Qed.
End Reply.
