(* Pointwise inequalities of the logarithm.  x ln (x / y) stands for 0 at x = 0.

   ln_div      == ln (a / b) = ln a - ln b
   ln_le_sub1  == ln x <= x - 1, and ln_lt_sub1: with equality at 1 only
   gibbs_le    == p ln (p / r) >= p - r, and gibbs_lt: with equality at p = r only
   donsker     == a ln (a / b) >= a ln c + a - b c, for every c > 0                             *)
From mathcomp Require Import ssreflect.
From Coq Require Import Reals Lra.
Open Scope R_scope.

Lemma ln_div a b : 0 < a -> 0 < b -> ln (a / b) = ln a - ln b.
Proof. move=> Ha Hb. rewrite /Rdiv ln_mult ?ln_Rinv //; exact: Rinv_0_lt_compat. Qed.

Lemma ln_le a b : 0 < a -> a <= b -> ln a <= ln b.
Proof. move=> H [H1|->]; [left; exact: ln_increasing|lra]. Qed.

Lemma ln_le_sub1 x : 0 < x -> ln x <= x - 1.
Proof. move=> Hx. have := exp_ineq1_le (ln x). rewrite exp_ln //. lra. Qed.

Lemma ln_lt_sub1 x : 0 < x -> x <> 1 -> ln x < x - 1.
Proof.
move=> Hx H1. have H : ln x <> 0.
{ move=> E. apply: H1. by rewrite -(exp_ln x) // E exp_0. }
have := exp_ineq1 (ln x) H. rewrite exp_ln //. lra.
Qed.

Lemma gibbs_le p r : 0 <= p -> 0 < r -> p - r <= p * ln (p / r).
Proof.
case=> [Hp|<-] Hr; last lra.
have := ln_le_sub1 (r / p) (Rdiv_lt_0_compat _ _ Hr Hp). rewrite !ln_div // => H.
have := Rmult_le_compat_l p _ _ (Rlt_le _ _ Hp) H.
have -> : p * (r / p - 1) = r - p by field; lra.
lra.
Qed.

Lemma gibbs_lt p r : 0 <= p -> 0 < r -> p <> r -> p - r < p * ln (p / r).
Proof.
case=> [Hp|<-] Hr Hne; last lra.
have N : r / p <> 1. { move=> H. apply: Hne. have -> : r = r / p * p by field; lra. rewrite H; ring. }
have := ln_lt_sub1 (r / p) (Rdiv_lt_0_compat _ _ Hr Hp) N. rewrite !ln_div // => H.
have := Rmult_lt_compat_l p _ _ Hp H.
have -> : p * (r / p - 1) = r - p by field; lra.
lra.
Qed.

Lemma donsker a b c : 0 <= a -> 0 < b -> 0 < c -> a * ln c + a - b * c <= a * ln (a / b).
Proof.
move=> Ha Hb Hc. have := gibbs_le a (b * c) Ha (Rmult_lt_0_compat _ _ Hb Hc).
case: Ha => [Ha|<-]; last lra.
rewrite !ln_div //; last exact: Rmult_lt_0_compat. rewrite ln_mult //. lra.
Qed.
