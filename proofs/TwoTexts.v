From mathcomp Require Import ssreflect ssrfun ssrbool eqtype ssrnat seq choice fintype bigop.
From Coq Require Import Reals Lra Psatz FunctionalExtensionality.
From Nashguard Require Import Sums Logs Game Replies.
Open Scope R_scope.

Definition sigma x := / (1 + exp (- x)).
Definition logit u := ln (u / (1 - u)).
Definition clip l x := Rmax (- l) (Rmin l x).
Definition split x (i z : bool) := if Bool.eqb i z then sigma x else sigma (- x).
Definition log_odds (t : bool -> bool -> R) := logit (t true true).
Definition converges (p : nat -> bool -> bool -> R) := exists u, forall i z, Un_cv (fun n => p n i z) (u i z).

Lemma clip_cases l x : 0 <= l ->
  (x <= - l /\ clip l x = - l) \/ (- l <= x <= l /\ clip l x = x) \/ (l <= x /\ clip l x = l).
Proof.
move=> H. rewrite /clip. case: (Rle_lt_dec x (- l)) => A; first by left; rewrite Rmin_right ?Rmax_left; lra.
right. case: (Rle_lt_dec l x) => B; [right; rewrite Rmin_left ?Rmax_right; lra|left].
rewrite Rmin_right ?Rmax_right; lra.
Qed.

Lemma clip_bounds l x : 0 <= l -> - l <= clip l x <= l.
Proof. move=> H. case: (clip_cases l x H) => [[? ->]|[[? ->]|[? ->]]]; lra. Qed.

Section Sigma.
Lemma sigma_bounds x : 0 < sigma x < 1.
Proof.
have E := exp_pos (- x). split; first by apply: Rinv_0_lt_compat; lra.
rewrite /sigma -{2}Rinv_1. apply: Rinv_lt_contravar; lra.
Qed.

Lemma sigma_opp x : sigma (- x) = 1 - sigma x.
Proof. rewrite /sigma Ropp_involutive exp_Ropp. have := exp_pos x => E. field. lra. Qed.

Lemma sigma_exp a b : exp a / (exp a + exp b) = sigma (a - b).
Proof.
rewrite /sigma. have -> : - (a - b) = b + - a by ring. rewrite exp_plus exp_Ropp.
have := exp_pos a. have := exp_pos b => B A. field. lra.
Qed.

Lemma logit_sigma x : logit (sigma x) = x.
Proof.
rewrite /logit -[RHS]ln_exp. congr ln. rewrite /sigma exp_Ropp. have := exp_pos x => E. field. lra.
Qed.

Lemma sigma_logit u : 0 < u < 1 -> sigma (logit u) = u.
Proof.
move=> [A B]. have P : 0 < u / (1 - u) by apply: Rdiv_lt_0_compat; lra.
rewrite /sigma exp_Ropp /logit exp_ln //. field. lra.
Qed.

Lemma ln_sigma x : ln (sigma x) - ln (sigma (- x)) = x.
Proof.
have [A B] := sigma_bounds x. rewrite -[RHS]logit_sigma /logit -sigma_opp ln_div //. exact: (proj1 (sigma_bounds _)).
Qed.

Lemma sigma_le x y : x <= y -> sigma x <= sigma y.
Proof.
move=> H. have E := exp_pos (- y). apply: Rinv_le_contravar; first lra.
case: H => [H|->]; last lra. have := exp_increasing (- y) (- x). lra.
Qed.

Lemma sigma_0 : sigma 0 = 1 / 2.
Proof. rewrite /sigma Ropp_0 exp_0. lra. Qed.

Lemma sigma_continuous x : continuity_pt sigma x.
Proof.
have E := exp_pos (- x). apply: continuity_pt_inv; last by lra.
apply: derivable_continuous_pt. rewrite /sigma. reg.
Qed.

Lemma tanh_sigma x : tanh (x / 2) = 2 * sigma x - 1.
Proof.
rewrite /tanh /sinh /cosh /sigma. have -> : - x = - (x / 2) + - (x / 2) by field.
rewrite exp_plus exp_Ropp. have := exp_pos (x / 2) => E. field. nra.
Qed.

Lemma split_bounds x i z : 0 < split x i z < 1.
Proof. rewrite /split. case: ifP => _; exact: sigma_bounds. Qed.

Lemma split_sum x i : \rsum_(z : bool) split x i z = 1.
Proof. rewrite rsum_bool /split. by case: i => /=; rewrite sigma_opp; ring. Qed.

Lemma split_half i z : split 0 i z = 1 / 2.
Proof. by rewrite /split Ropp_0 sigma_0; case: ifP. Qed.

Lemma split_sym x i z : split x i z = split x z i.
Proof. by case: i; case: z. Qed.

Lemma ln_split x i z : ln (split x i z) - ln (split x i (~~ z)) = if Bool.eqb i z then x else - x.
Proof. have := ln_sigma x. rewrite /split. case: i; case: z => /=; lra. Qed.

Lemma log_odds_split x : log_odds (split x) = x.
Proof. exact: logit_sigma. Qed.
End Sigma.

Lemma half_pos : 0 < 1 / 2. Proof. lra. Qed.
Lemma half_twice : \rsum_(i : bool) (1 / 2) = 1. Proof. rewrite rsum_bool. lra. Qed.

(* Seeds, labels and texts are booleans: true for the label + and the text a. *)
Definition two_texts (L0 beta : R) (beta_ge0 : 0 <= beta) : game :=
  Game bool_finType bool_finType bool_finType (fun i => i) (fun _ => 1 / 2) (split L0) beta (fun _ _ => 0)
    (fun _ => half_pos) half_twice (fun i z => Rlt_le _ _ (proj1 (split_bounds L0 i z))) (split_sum L0)
    beta_ge0 (fun _ _ => Rle_refl 0).

Section Game.
Variables (L0 beta : R) (beta_ge0 : 0 <= beta).
Let g := two_texts L0 beta beta_ge0.
Implicit Types (Q : class g) (q : classifier g).

Lemma split_interior x : interior (split x : generator g).
Proof.
split; last by move=> i z _; exact: (proj1 (split_bounds _ _ _)).
split; first by move=> i z; left; exact: (proj1 (split_bounds _ _ _)).
split=> [i z /= H|i]; [have := proj1 (split_bounds L0 i z); lra|exact: split_sum].
Qed.

Lemma split_conditional l : is_conditional g (split l).
Proof. split=> [z y|z]; [left; exact: (proj1 (split_bounds _ _ _))|exact: split_sum]. Qed.

(* The step is linear in log-odds: only the differences of logarithms between the two texts matter. *)
Lemma step_split tau x l : 0 < tau + beta ->
  step tau (split x : generator g) (split l : classifier g) = split ((tau * x + beta * L0 - l) / (tau + beta)).
Proof.
move=> Hk. set e := fun i z => (tau * ln (split x i z) + beta * ln (split L0 i z) - ln (split l z i)) / (tau + beta).
have W i z : weight tau (split x : generator g) (split l : classifier g) i z = exp (e i z).
{ rewrite /weight. case: Rlt_dec => //= H. case: H; exact: (proj1 (split_bounds _ _ _)). }
have E i z : e i z - e i (~~ z) = if Bool.eqb i z then (tau * x + beta * L0 - l) / (tau + beta)
                                  else - ((tau * x + beta * L0 - l) / (tau + beta)).
{ have -> : e i z - e i (~~ z) = (tau * (ln (split x i z) - ln (split x i (~~ z))) +
    beta * (ln (split L0 i z) - ln (split L0 i (~~ z))) - (ln (split l z i) - ln (split l (~~ z) i))) / (tau + beta)
    by rewrite /e; field; lra.
  rewrite (split_sym l z) (split_sym l (~~ z)) !ln_split. by case: Bool.eqb; field; lra. }
apply: functional_extensionality => i; apply: functional_extensionality => z.
rewrite /step /normaliser rsum_bool !W.
have -> : exp (e i true) + exp (e i false) = exp (e i z) + exp (e i (~~ z)) by case: z => /=; ring.
by rewrite sigma_exp E /split; case: ifP.
Qed.

Lemma payoff_row x q : payoff (split x : generator g) q = - beta * divergence (split x : generator g) ref -
  1 / 2 * (sigma x * ln (q true true) + (1 - sigma x) * ln (q true false)) -
  1 / 2 * (sigma x * ln (q false false) + (1 - sigma x) * ln (q false true)).
Proof.
rewrite /payoff /loss /real_loss /avg !rsum_bool /= /split /= sigma_opp. ring.
Qed.

(* A classifier that answers log-odds x with log-odds c x. *)
Definition answers Q (c : R -> R) := forall x q, reply Q (split x) q <-> q = split (c x).

(* The row of log-loss s ln u + (1 - s) ln (1 - u): its only maximiser on a side of c. *)
Lemma row_max s c u : 0 < c < 1 -> 0 < u < 1 -> 0 < s < 1 -> (s - c) * (u - c) <= 0 ->
  u = c \/ s * ln u + (1 - s) * ln (1 - u) < s * ln c + (1 - s) * ln (1 - c).
Proof.
move=> Hc Hu Hs H. case: (Req_dec u c) => [|N]; [by left|right].
have N' : u / c <> 1. { move=> E. apply: N. have -> : u = u / c * c by field; lra. rewrite E; ring. }
have A := ln_lt_sub1 (u / c) _ N'. have {}A := A ltac:(apply: Rdiv_lt_0_compat; lra).
have B := ln_le_sub1 ((1 - u) / (1 - c)) ltac:(apply: Rdiv_lt_0_compat; lra).
rewrite !ln_div in A B; try lra.
have C : s * (u / c - 1) + (1 - s) * ((1 - u) / (1 - c) - 1) = (s - c) * (u - c) * / (c * (1 - c)) by field; lra.
have D : 0 < / (c * (1 - c)) by apply: Rinv_0_lt_compat; nra.
nra.
Qed.

Lemma answers_of Q c :
  (forall x, Q (split (c x))) -> (forall q, Q q -> is_conditional g q /\ forall z y, 0 < q z y) ->
  (forall x q z, Q q -> (sigma x - sigma (c x)) * (q z z - sigma (c x)) <= 0) -> answers Q c.
Proof.
move=> Qc QP QV x.
have M q : Q q -> q = split (c x) \/ payoff (split x : generator g) (split (c x)) < payoff (split x : generator g) q.
{ move=> HQ. have [[_ S] P] := QP q HQ. have St := S true. have Sf := S false. rewrite !rsum_bool in St Sf.
  have P1 := P true true. have P2 := P true false. have P3 := P false true. have P4 := P false false.
  have Et : q true false = 1 - q true true by lra. have Ef : q false true = 1 - q false false by lra.
  have A := row_max _ _ (q true true) (sigma_bounds (c x)) ltac:(lra) (sigma_bounds x) (QV x q true HQ).
  have B := row_max _ _ (q false false) (sigma_bounds (c x)) ltac:(lra) (sigma_bounds x) (QV x q false HQ).
  rewrite !payoff_row Et Ef /split /= sigma_opp.
  case: A => [A|A]; case: B => [B|B]; rewrite ?A ?B; try (right; lra).
  left. apply: functional_extensionality => z; apply: functional_extensionality => y.
  by case: z; case: y; rewrite ?Et ?Ef ?A ?B /split /= ?sigma_opp. }
move=> q. split=> [[HQ H]|->].
- case: (M q HQ) => // L. have := H _ (Qc x). lra.
- split=> // q' HQ. case: (M q' HQ) => [->|]; lra.
Qed.

Theorem full_answers : answers (full g) id.
Proof.
apply: answers_of => [x|q [C A]|x q z _]; last by rewrite /= Rminus_eq_0; lra.
- split; first exact: split_conditional. split=> [i z _|y z /=]; [exact: (proj1 (split_bounds _ _ _))|lra].
- split=> // z y. exact: (proj1 A y z (proj1 (split_bounds L0 y z))).
Qed.

Theorem clipped_answers gamma (Hg : 0 < gamma) : gamma < 1 / 2 ->
  answers (clipped g gamma Hg) (clip (logit (1 - gamma))).
Proof.
move=> H2. set l := logit (1 - gamma).
have U : sigma l = 1 - gamma by apply: sigma_logit; lra.
have L : sigma (- l) = gamma by rewrite sigma_opp U; ring.
have l0 : 0 <= l.
{ case: (Rle_lt_dec 0 l) => // N. have := sigma_le l (- l) ltac:(lra). lra. }
apply: answers_of => [x|q [C A]|x q z [[_ S] A]].
- split; first exact: split_conditional. move=> z y. have [B1 B2] := clip_bounds l x l0.
  have {}B1 := sigma_le _ _ B1. have {}B2 := sigma_le _ _ B2. rewrite /split (sigma_opp (clip l x)).
  case: Bool.eqb; lra.
- split=> // z y. have := A z y. lra.
- have A1 := A z z. have A2 := A z (~~ z). have {}S : q z z + q z (~~ z) = 1.
  { rewrite -(S z) rsum_bool. by case: z A1 A2 => _ _ /=; ring. }
  case: (clip_cases l x l0) => [[B ->]|[[_ ->]|[B ->]]]; [|rewrite Rminus_eq_0; lra|];
    have := sigma_le _ _ B; rewrite ?U ?L; nra.
Qed.
End Game.
