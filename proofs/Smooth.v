(* Lemma 1: the payoff is smooth relative to entropy.  Any class, any anchor.

   mean p f        == sum over labelled texts of f z y under W_p, p's own texts and the real ones
   total g         == 1 + lambda, the mass of W_p
   first_order     == a best reply q satisfies mean p (q' / q) <= 1 + lambda for every q' of the class
   first_order_reply == and whoever satisfies that is a best reply
   smooth          == J(u, q_p) - J(u, q') <= D(u, p): the price of an outdated classifier is at most the divergence *)
From mathcomp Require Import ssreflect ssrfun ssrbool eqtype ssrnat seq choice fintype bigop.
From Coq Require Import Reals Lra Psatz.
From Nashguard Require Import Sums Logs Game Replies.
Open Scope R_scope.

Section Mean.
Context {g : game}.
Implicit Types (Q : class g) (p u : generator g) (q : classifier g) (f h : text g -> label g -> R).

Definition real_mean f := \rsum_(y : label g) \rsum_(z : text g) (anchor y z * f z y).
Definition mean p f := avg (fun i z => p i z * f z (lab i)) + real_mean f.
Definition total := 1 + \rsum_(y : label g) \rsum_(z : text g) (@anchor g) y z.

Lemma real_mean_le f h : (forall y z, 0 < anchor y z -> f z y <= h z y) -> real_mean f <= real_mean h.
Proof.
move=> H. apply: rsum_le => y. apply: rsum_le => z. case: (anchor_ge0 y z) => [A|<-]; last lra.
apply: Rmult_le_compat_l; [lra|exact: H].
Qed.

Lemma mean_le p f h : is_generator p -> (forall i z, 0 < ref i z -> f z (lab i) <= h z (lab i)) ->
  (forall y z, 0 < anchor y z -> f z y <= h z y) -> mean p f <= mean p h.
Proof.
move=> Hp H1 H2. apply: Rplus_le_compat; last exact: real_mean_le.
apply: avg_le => i z. case: (generator_support p i z Hp) => [->|[A B]]; first lra.
apply: Rmult_le_compat_l; [lra|exact: H1].
Qed.

Lemma mean_add p f h : mean p (fun z y => f z y + h z y) = mean p f + mean p h.
Proof.
rewrite /mean /real_mean (avg_ext _ (fun i z => p i z * f z (lab i) + p i z * h z (lab i))); last by move=> *; ring.
rewrite avg_add (rsum_ext _ _ (fun y => \rsum_(z : text g) (anchor y z * f z y) + \rsum_(z : text g) (anchor y z * h
  z y))).
- rewrite rsum_add. ring.
- move=> y. rewrite -rsum_add. apply: rsum_ext => z; ring.
Qed.

Lemma mean_scal p c f : mean p (fun z y => c * f z y) = c * mean p f.
Proof.
rewrite /mean /real_mean (avg_ext _ (fun i z => c * (p i z * f z (lab i)))); last by move=> *; ring.
rewrite avg_scal Rmult_plus_distr_l -[X in _ = _ + X]rsum_scal. congr (_ + _).
apply: rsum_ext => y. rewrite -rsum_scal. apply: rsum_ext => z; ring.
Qed.

Lemma mean_sub p f h : mean p (fun z y => f z y - h z y) = mean p f - mean p h.
Proof.
have -> : mean p f - mean p h = mean p f + -1 * mean p h by ring. rewrite -mean_scal -mean_add /mean /real_mean.
congr (_ + _); [apply: avg_ext => i z; ring|apply: rsum_ext => y; apply: rsum_ext => z; ring].
Qed.

Lemma mean_const p c : is_generator p -> mean p (fun _ _ => c) = c * total.
Proof.
move=> Hp. rewrite /mean /real_mean /total (avg_ext _ (fun i z => c * p i z)); last by move=> *; ring.
rewrite avg_scal avg_generator // Rmult_plus_distr_l. congr (_ + _).
rewrite -rsum_scal. apply: rsum_ext => y. rewrite -rsum_scal. apply: rsum_ext => z; ring.
Qed.

Lemma mean_ge0 p f : is_generator p -> (forall z y, 0 <= f z y) -> 0 <= mean p f.
Proof.
move=> Hp H. have := mean_const p 0 Hp. have := mean_le p (fun _ _ => 0) f Hp (fun _ _ _ => H _ _) (fun _ _ _ => H _
  _). lra.
Qed.

Lemma loss_mean p q : loss p q = mean p (fun z y => - ln (q z y)).
Proof. by []. Qed.

Definition ratio q' q : text g -> label g -> R := fun z y => q' z y / q z y.

Lemma payoff_sub p q q' : admissible q -> admissible q' -> is_generator p ->
  payoff p q - payoff p q' = mean p (fun z y => ln (ratio q' q z y)).
Proof.
move=> [A B] [A' B'] Hp. rewrite /payoff !loss_mean.
have -> : mean p (fun z y => ln (ratio q' q z y)) = mean p (fun z y => - ln (q z y) - - ln (q' z y)).
{ apply: Rle_antisym; apply: mean_le => // ? ? H; rewrite /ratio ln_div; auto; lra. }
rewrite mean_sub. ring.
Qed.

(* Lemma 1.1: move a little from q towards q'; the loss cannot fall, to first order. *)
Theorem first_order Q p q q' : is_generator p -> reply Q p q -> Q q' -> mean p (ratio q' q) <= total.
Proof.
move=> Hp [HQ M] HQ'. have [A B] := member_admissible Q q HQ. have [A' B'] := member_admissible Q q' HQ'.
set x := ratio q' q. set c := mean p (fun z y => (x z y - 1) * (x z y - 1)).
have c0 : 0 <= c by apply: mean_ge0 => // z y; exact: Rle_0_sqr.
have step e : 0 < e <= / 2 -> mean p (fun z y => x z y - 1) <= 2 * e * c.
{ move=> He. have Qe : Q (mix e q q') by apply: member_convex => //; lra.
  have D := M _ Qe. have := payoff_sub p q _ (member_admissible Q q HQ) (member_admissible Q _ Qe) Hp.
  set L := mean _ _ => E.
  have pointwise : forall a b, 0 < a -> 0 < b ->
    - ln (((1 - e) * a + e * b) / a) <= - e * (b / a - 1) + 2 * e * e * ((b / a - 1) * (b / a - 1)).
  { move=> a b Ha Hb. have X : 0 < b / a by exact: Rdiv_lt_0_compat. set r := b / a in X *.
    have -> : ((1 - e) * a + e * b) / a = 1 + e * (r - 1) by rewrite /r; field; lra.
    have S : / 2 <= 1 + e * (r - 1) by nra.
    have S0 : 0 < 1 + e * (r - 1) by lra.
    have := ln_le_sub1 _ (Rinv_0_lt_compat _ S0). rewrite ln_Rinv // => I. apply: Rle_trans I _.
    have -> : / (1 + e * (r - 1)) - 1 = - e * (r - 1) + e * e * ((r - 1) * (r - 1)) * / (1 + e * (r - 1)) by field; lra.
    apply: Rplus_le_compat_l. have -> : 2 * e * e * ((r - 1) * (r - 1)) = e * e * ((r - 1) * (r - 1)) * 2 by ring.
    apply: Rmult_le_compat_l.
    - apply: Rmult_le_pos; [nra|exact: Rle_0_sqr].
    - have := Rinv_le_contravar _ _ (Rinv_0_lt_compat _ Rlt_0_2) S. by rewrite Rinv_inv. }
  have U : - L <= - e * mean p (fun z y => x z y - 1) + 2 * e * e * c.
  { have -> : - L = -1 * L by ring. rewrite /L /c -!mean_scal -mean_add. apply: mean_le => // [i z H|y z H].
    - have := pointwise (q z (lab i)) (q' z (lab i)) (A i z H) (A' i z H). rewrite /x /ratio /mix; lra.
    - have := pointwise (q z y) (q' z y) (B y z H) (B' y z H). rewrite /x /ratio /mix; lra. }
  have {}U : e * mean p (fun z y => x z y - 1) <= e * (2 * e * c) by lra.
  apply: Rmult_le_reg_l U; lra. }
have S : mean p (fun z y => x z y - 1) <= 0.
{ case: (Rle_dec (mean p (fun z y => x z y - 1)) 0) => // /Rnot_le_lt H. exfalso. set d := mean _ _ in step H.
  have C : 0 < 4 * (c + 1) by lra. have P : 0 < d / (4 * (c + 1)) by exact: Rdiv_lt_0_compat.
  set e := Rmin (/ 2) (d / (4 * (c + 1))).
  have := step e (conj (Rmin_pos _ _ (Rinv_0_lt_compat _ Rlt_0_2) P) (Rmin_l _ _)).
  have : e <= d / (4 * (c + 1)) by exact: Rmin_r. move=> /(Rmult_le_compat_l (2 * c) _ _ ltac:(lra)).
  have -> : 2 * c * (d / (4 * (c + 1))) = d / 2 * (c / (c + 1)) by field; lra.
  have : c / (c + 1) <= 1. { apply: (Rmult_le_reg_r (c + 1)); first lra.
  have -> : c / (c + 1) * (c + 1) = c by field; lra. lra. }
  move=> /(Rmult_le_compat_l (d / 2) _ _ ltac:(lra)). lra. }
rewrite mean_sub mean_const // in S. lra.
Qed.

Theorem first_order_reply Q p q : is_generator p -> Q q -> (forall q', Q q' -> mean p (ratio q' q) <= total) -> reply
  Q p q.
Proof.
move=> Hp HQ H; split=> // q' HQ'. have Aq := member_admissible Q q HQ. have Aq' := member_admissible Q q' HQ'.
have := payoff_sub p q q' Aq Aq' Hp. have := H q' HQ'. have := mean_const p 1 Hp. move: Aq Aq' => [A B] [A' B'].
have : mean p (fun z y => ln (ratio q' q z y)) <= mean p (fun z y => ratio q' q z y - 1).
{ apply: mean_le => // ? ? L; apply: ln_le_sub1; apply: Rdiv_lt_0_compat; auto. }
rewrite mean_sub. move: (mean p (ratio q' q)) => *; lra.
Qed.

(* Lemma 1.2.  This inequality carries every convergence theorem. *)
Theorem smooth Q p u q q' : interior p -> is_generator u -> reply Q p q -> Q q' ->
  payoff u q - payoff u q' <= divergence u p.
Proof.
move=> [Hp Pp] Hu R HQ'. have HQ := proj1 R. have F := first_order Q p q q' Hp R HQ'.
have Aq := member_admissible Q q HQ. have Aq' := member_admissible Q q' HQ'. rewrite payoff_sub //.
case: Aq Aq' => [A B] [A' B'].
have D : avg (fun i z => u i z * ln (ratio q' q z (lab i)) + u i z - p i z * ratio q' q z (lab i)) <= divergence u p.
{ apply: avg_le => i z. case: (generator_support u i z Hu) => [->|[U V]].
  - case: (generator_support p i z Hp) => [->|[V W]]; first lra.
    have : 0 < ratio q' q z (lab i) by apply: Rdiv_lt_0_compat; auto. move: (ratio _ _ _ _) (p i z) V => x y; nra.
  - apply: donsker; [lra|exact: Pp|apply: Rdiv_lt_0_compat; auto]. }
have E : real_mean (fun z y => ln (ratio q' q z y)) <= real_mean (fun z y => ratio q' q z y - 1).
{ apply: real_mean_le => y z L. apply: ln_le_sub1. apply: Rdiv_lt_0_compat; auto. }
have T : mean p (fun z y => ratio q' q z y - 1) <= 0 by rewrite mean_sub mean_const //; move: (mean _ _) F => *; lra.
move: D E T. rewrite avg_sub avg_add (avg_generator u) // {1 2}/mean.
rewrite (avg_ext (fun i z => p i z * (ratio q' q z (lab i) - 1)) (fun i z => p i z * ratio q' q z (lab i) - p i z));
  last by move=> *; ring.
rewrite avg_sub (avg_generator p) //. lra.
Qed.
End Mean.
Arguments total g : clear implicits.
