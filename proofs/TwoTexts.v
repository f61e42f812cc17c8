(* The two-text game (Example 1 of theory/convergence.md): beta = 1 is the exact threshold of the paper's iteration.

   Two seeds, one of each label, of weight 1/2; two texts; no anchor. All three are booleans: true is the label +,
   its seed, and the text a; false is the label -, its seed, and the text b.

   sigma, logit        == the logistic function and its inverse
   clip l x            == x cut to [-l, l]; for the clipped class l = logit (1 - gamma)
   split x             == the symmetric table with log-odds x: sigma x where its two arguments agree, sigma (-x) where
                          they differ; as a generator p_+(a) = sigma x, as a classifier q(+|a) = sigma x
   log_odds t          == logit (t true true): of a classifier, logit q(+|a); of a generator, logit p_+(a)
   two_texts L0 beta _ == the game whose reference is split L0; L0 = 0 is the uniform reference
   balanced_odds       == beta L0 / (1 + beta), where each player answers the other when no clipping binds
   answers Q c         == the best reply to split x in the class Q is split (c x), and no other
   run_from Q tau x    == a run in the class Q from the generator split x
   converges p         == every probability of the generator converges
   uniform             == the table of halves
   full_or_clipped Q   == Q is the full class, or clipped to [gamma, 1 - gamma] with gamma < 1/2

   step_split                          == the step is linear in log-odds
   full_answers, clipped_answers       == the classifier answers with its posterior, clipped in the clipped class
   full_recursion, full_closed_form    == l' = ((tau - 1) l + beta L0) / (tau + beta), for every tau and L0
   full_limit, full_threshold          == a run converges iff 2 tau + beta > 1 or its start is balanced
   full_two_cycle, full_unbounded      == 2 tau + beta = 1: a 2-cycle; below: the log-odds are unbounded
   clipped_recursion                   == l' = clip (L0 - l / beta), for tau = 0 and every L0
   full_equilibrium, clipped_equilibrium  == the Nash equilibrium of each class; clipped_limit == convergence to it
   clipped_threshold                   == a run converges iff beta > 1, its start is balanced, or the balance is out of
                                          the bounds' reach
   clipped_period_two                  == beta = 1: period two from the second round on, for every L0
   With L0 = 0:
   uniform_nash, uniform_value         == the equilibrium is uniform, of value ln 2
   two_texts_run                       == runs exist, in both classes
   two_texts_limit                     == beta > 1: the paper's iteration converges to uniform, in both classes
   two_texts_threshold                 == from a start that is not uniform, it converges iff beta > 1
   full_uniform_recursion              == l' = (tau - 1) / (tau + beta) l
   clipped_uniform_recursion           == l' = clip (- l / beta), from l_0 = clip x (clipped_start)
   clipped_closed_form, clipped_size   == l_n = clip ((-1/beta)^n l_0) and |l_n| = min(l, |l_0| / beta^n)
   clipped_two_cycle                   == beta = 1: an exact 2-cycle from every start
   clipped_cycle, cycle_gap_pos        == beta < 1: after finitely many rounds l_n alternates between l and -l, and the
                                          gap is l tanh (l / (2 beta)) > 0 in every round                            *)
From mathcomp Require Import ssreflect ssrfun ssrbool eqtype ssrnat seq choice fintype bigop.
From Coq Require Import Reals Lra Psatz FunctionalExtensionality.
From Nashguard Require Import Sums Logs Game Replies.
Open Scope R_scope.

Definition sigma (x : R) := / (1 + exp (- x)).
Definition logit (u : R) := ln (u / (1 - u)).
Definition clip (l x : R) := Rmax (- l) (Rmin l x).
Definition split (x : R) (i z : bool) := if Bool.eqb i z then sigma x else sigma (- x).
Definition log_odds (t : bool -> bool -> R) := logit (t true true).
Definition balanced_odds (L0 beta : R) := beta * L0 / (1 + beta).
Definition converges (p : nat -> bool -> bool -> R) := exists u, forall i z, Un_cv (fun n => p n i z) (u i z).

Lemma clip_id l x : - l <= x <= l -> clip l x = x.
Proof. move=> H. rewrite /clip Rmin_right ?Rmax_right; lra. Qed.

Lemma clip_low l x : 0 <= l -> x <= - l -> clip l x = - l.
Proof. move=> ? ?. rewrite /clip Rmin_right ?Rmax_left; lra. Qed.

Lemma clip_high l x : 0 <= l -> l <= x -> clip l x = l.
Proof. move=> ? ?. rewrite /clip Rmin_left ?Rmax_right; lra. Qed.

Lemma clip_cases l x : 0 <= l ->
  (x <= - l /\ clip l x = - l) \/ (- l <= x <= l /\ clip l x = x) \/ (l <= x /\ clip l x = l).
Proof.
move=> H. case: (Rle_lt_dec x (- l)) => A; first by left; rewrite clip_low.
right. case: (Rle_lt_dec l x) => B; [right; rewrite clip_high|left; rewrite clip_id]; lra.
Qed.

Lemma clip_bounds l x : 0 <= l -> - l <= clip l x <= l.
Proof. move=> H. case: (clip_cases l x H) => [[? ->]|[[? ->]|[? ->]]]; lra. Qed.

(* The clipped reflection m -> clip (L0 - m) is, on its range, an involution after one more round. *)
Lemma clip_period l L0 m : 0 <= l -> - l <= m <= l ->
  clip l (L0 - clip l (L0 - clip l (L0 - m))) = clip l (L0 - m).
Proof.
move=> H Hm. have := clip_cases l (L0 - m) H. move: (clip l (L0 - m)) => a A.
have := clip_cases l (L0 - a) H. move: (clip l (L0 - a)) => b B. have := clip_cases l (L0 - b) H.
by case: A => [[? ?]|[[? ?]|[? ?]]]; case: B => [[? ?]|[[? ?]|[? ?]]] [[? ?]|[[? ?]|[? ?]]]; lra.
Qed.

Lemma clip_abs l x : 0 <= l -> Rabs (clip l x) = Rmin l (Rabs x).
Proof.
move=> H. case: (clip_cases l x H) => [[A ->]|[[A ->]|[A ->]]].
- rewrite Rabs_Ropp Rmin_left ?(Rabs_pos_eq l) // Rabs_left1; lra.
- rewrite Rmin_right //. split_Rabs; lra.
- rewrite Rmin_left !Rabs_pos_eq; lra.
Qed.

Lemma clip_lipschitz l x y : 0 <= l -> Rabs (clip l x - clip l y) <= Rabs (x - y).
Proof.
move=> H. case: (clip_cases l x H) => [[? ->]|[[? ->]|[? ->]]]; case: (clip_cases l y H) => [[? ->]|[[? ->]|[? ->]]];
  split_Rabs; lra.
Qed.

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

Lemma sigma_lt x y : x < y -> sigma x < sigma y.
Proof.
move=> H. case: (Rle_lt_or_eq_dec _ _ (sigma_le x y (Rlt_le _ _ H))) => // E.
have := logit_sigma x. rewrite E logit_sigma. lra.
Qed.

Lemma sigma_0 : sigma 0 = 1 / 2.
Proof. rewrite /sigma Ropp_0 exp_0. lra. Qed.

Lemma sigma_continuous x : continuity_pt sigma x.
Proof.
have E := exp_pos (- x). apply: continuity_pt_inv; last by lra.
apply: derivable_continuous_pt. rewrite /sigma. reg.
Qed.

Lemma bound_pos gamma : 0 < gamma -> gamma < 1 / 2 -> 0 < logit (1 - gamma).
Proof.
move=> H1 H2. case: (Rlt_le_dec 0 (logit (1 - gamma))) => // H.
have := sigma_le _ _ H. rewrite sigma_logit ?sigma_0; lra.
Qed.

Lemma tanh_sigma x : tanh (x / 2) = 2 * sigma x - 1.
Proof.
rewrite /tanh /sinh /cosh /sigma. have -> : - x = - (x / 2) + - (x / 2) by field.
rewrite exp_plus exp_Ropp. have := exp_pos (x / 2) => E. field. nra.
Qed.

Lemma tanh_even a l k : Rabs a = l -> a * tanh (a * k) = l * tanh (l * k).
Proof.
rewrite /Rabs. case: Rcase_abs => _ <- //. have -> : - a * k = - (2 * (a * k)) / 2 by field.
have -> : a * k = 2 * (a * k) / 2 by field. rewrite !tanh_sigma sigma_opp.
have -> : 2 * (2 * (a * k) / 2) = 2 * (a * k) by field. ring.
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
Lemma half_pos : 0 < 1 / 2. Proof. lra. Qed.
Lemma half_twice : \rsum_(i : bool) (1 / 2) = 1. Proof. rewrite rsum_bool. lra. Qed.

Definition two_texts (L0 beta : R) (beta_ge0 : 0 <= beta) : game :=
  Game bool_finType bool_finType bool_finType (fun i => i) (fun _ => 1 / 2) (split L0) beta (fun _ _ => 0)
    (fun _ => half_pos) half_twice (fun i z => Rlt_le _ _ (proj1 (split_bounds L0 i z))) (split_sum L0)
    beta_ge0 (fun _ _ => Rle_refl 0).

Section Answers.
Context {L0 beta : R} {beta_ge0 : 0 <= beta}.
Local Notation g := (two_texts L0 beta beta_ge0).
Implicit Types (Q : class g) (q : classifier g).

Lemma split_interior x : interior (split x : generator g).
Proof.
split; last by move=> i z _; exact: (proj1 (split_bounds _ _ _)).
split; first by move=> i z; left; exact: (proj1 (split_bounds _ _ _)).
split=> [i z /= H|i]; [have := proj1 (split_bounds L0 i z); lra|exact: split_sum].
Qed.

Lemma split_conditional l : @is_conditional g (split l).
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

Definition answers Q (c : R -> R) := forall x q, reply Q (split x) q <-> q = split (c x).

(* The expected log-likelihood s ln u + (1 - s) ln (1 - u) over an interval of u has one maximiser: the point c
   nearest to s.  The product is the variational inequality of that projection. *)
Lemma row_max s c u : 0 < c < 1 -> 0 < u < 1 -> 0 < s < 1 -> (s - c) * (u - c) <= 0 ->
  u = c \/ s * ln u + (1 - s) * ln (1 - u) < s * ln c + (1 - s) * ln (1 - c).
Proof.
move=> Hc Hu Hs H. case: (Req_dec u c) => [|N]; [by left|right].
have N' : u / c <> 1. { move=> E. apply: N. have -> : u = u / c * c by field; lra. rewrite E; ring. }
have A := ln_lt_sub1 (u / c) ltac:(apply: Rdiv_lt_0_compat; lra) N'.
have B := ln_le_sub1 ((1 - u) / (1 - c)) ltac:(apply: Rdiv_lt_0_compat; lra).
rewrite !ln_div in A B; try lra.
have C : s * (u / c - 1) + (1 - s) * ((1 - u) / (1 - c) - 1) = (s - c) * (u - c) * / (c * (1 - c)) by field; lra.
have D : 0 < / (c * (1 - c)) by apply: Rinv_0_lt_compat; nra.
nra.
Qed.

Lemma answers_of Q c :
  (forall x, Q (split (c x))) -> (forall q, Q q -> is_conditional q /\ forall z y, 0 < q z y) ->
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

Theorem full_answers : answers (full g) (fun x => x).
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
have l0 : 0 <= l by left; exact: bound_pos.
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

Definition run_from Q tau x (p : nat -> generator g) (q : nat -> classifier g) := run Q tau p q /\ p 0%nat = split x.
End Answers.

Section Run.
Context {L0 beta : R} {beta_ge0 : 0 <= beta}.
Local Notation g := (two_texts L0 beta beta_ge0).
Implicit Types (Q : class g) (p : nat -> generator g) (q : nat -> classifier g).

Lemma run_split Q c tau x p q : answers Q c -> 0 < tau + beta -> run_from Q tau x p q -> forall n,
  p n = split (log_odds (p n)) /\ q n = split (log_odds (q n)) /\ log_odds (q n) = c (log_odds (p n)) /\
  log_odds (p n.+1) = (tau * log_odds (p n) + beta * L0 - log_odds (q n)) / (tau + beta).
Proof.
move=> HQ Hk [[_ R] P0].
have P n : p n = split (log_odds (p n)).
{ elim: n => [|n IH]; first by rewrite P0 log_odds_split.
  have [A ->] := R n. rewrite IH in A *. rewrite (proj1 (HQ _ _) A) step_split // log_odds_split. by []. }
move=> n. have [A B] := R n. rewrite P in A. have {}A := proj1 (HQ _ _) A.
have C : log_odds (q n) = c (log_odds (p n)) by rewrite A log_odds_split.
do !split=> //; first by rewrite C. by rewrite B {1}P C A step_split // log_odds_split.
Qed.

Lemma start_odds Q tau x p q : run_from Q tau x p q -> log_odds (p 0%nat) = x.
Proof. move=> [_ ->]. exact: log_odds_split. Qed.

(* Such runs exist: every step has a reply. *)
Lemma answers_run Q c tau x : answers Q c -> 0 < tau + beta -> exists p q, run_from Q tau x p q.
Proof.
move=> HQ Hk. set s := fun n => Nat.iter n (fun y => (tau * y + beta * L0 - c y) / (tau + beta)) x.
exists (fun n => split (s n)), (fun n => split (c (s n))). split=> //. split; first exact: split_interior.
move=> n. split; [exact: (proj2 (HQ _ _))|by rewrite step_split].
Qed.

(* Equilibria: fixed points of the recursion of tau = 0. *)
Theorem answers_nash Q c s : 0 < beta -> answers Q c -> s = L0 - c s / beta ->
  nash Q (split s : generator g) (split (c s)).
Proof.
move=> Hb HQ E. have R := proj2 (HQ s (split (c s))) erefl.
split; [exact: (proj1 (split_interior s))|split=> // u Hu].
suff <- : generator_reply (split (c s) : classifier g) = split s.
{ apply: reply_max => //. exact: member_admissible (proj1 R). }
rewrite /generator_reply /= step_split; last by lra.
congr split. rewrite {2}E. field. lra.
Qed.

(* Convergence and its failure, read off the log-odds. *)
Lemma split_limit p s : (forall n, p n = split (log_odds (p n))) -> Un_cv (fun n => log_odds (p n)) s ->
  forall i z, Un_cv (fun n => p n i z) (split s i z).
Proof.
move=> P H i z.
have Ho : Un_cv (fun n => - log_odds (p n)) (- s) by exact: CV_opp.
have E : forall n, p n i z = sigma (if Bool.eqb i z then log_odds (p n) else - log_odds (p n)).
{ move=> n. rewrite {1}P /split. by case: ifP. }
apply: (Un_cv_ext (fun n => sigma (if Bool.eqb i z then log_odds (p n) else - log_odds (p n)))) => [n|].
- by rewrite -E.
- rewrite /split. case: Bool.eqb; apply: continuity_seq => //; exact: sigma_continuous.
Qed.

Lemma geometric_limit (s : nat -> R) t k : 0 <= k < 1 ->
  (forall n, Rabs (s n.+1 - t) <= k * Rabs (s n - t)) -> Un_cv s t.
Proof.
move=> Hk H. have B n : Rabs (s n - t) <= k ^ n * Rabs (s 0%nat - t).
{ elim: n => [|n IH] /=; first lra. have := H n. have := Rmult_le_compat_l k _ _ (proj1 Hk) IH. lra. }
move=> e He. set d := Rabs (s 0%nat - t) in B. have P : 0 < d + 1 by have := Rabs_pos (s 0%nat - t); rewrite /d; lra.
have [N HN] := pow_lt_1_zero k ltac:(rewrite Rabs_pos_eq; lra) _ (Rdiv_lt_0_compat _ _ He P).
exists N => n /HN. rewrite Rabs_pos_eq; last by apply: pow_le; lra. move=> H'. apply: Rle_lt_trans (B n) _.
have := Rmult_lt_compat_r _ _ _ P H'. have -> : e / (d + 1) * (d + 1) = e by field; lra.
have := pow_le k n (proj1 Hk). lra.
Qed.

(* Log-odds that jump over t from one side to the other, never nearer than m. *)
Lemma alternating_diverges p t m : (forall n, p n = split (log_odds (p n))) -> 0 < m ->
  (forall n, m <= Rabs (log_odds (p n) - t) /\ (log_odds (p n) - t) * (log_odds (p n.+1) - t) < 0) -> ~ converges p.
Proof.
move=> P Hm H [u U]. set d := sigma (t + m) - sigma (t - m).
have Hd : 0 < d by have := sigma_lt (t - m) (t + m) ltac:(lra); rewrite /d; lra.
have J n : d <= Rabs (p n.+1 true true - p n true true).
{ have [A B] := H n. have [C _] := H n.+1. rewrite (P n) (P n.+1) /split /=.
  case: (Rlt_le_dec (log_odds (p n)) t) => D.
  - have E : log_odds (p n) <= t - m by move: A; rewrite Rabs_left; lra.
    have F : t + m <= log_odds (p n.+1).
    { have G : 0 < log_odds (p n.+1) - t by nra. move: C; rewrite Rabs_pos_eq; lra. }
    have := sigma_le _ _ E. have := sigma_le _ _ F. rewrite /d. split_Rabs; lra.
  - have E : t + m <= log_odds (p n) by move: A; rewrite Rabs_pos_eq; lra.
    have F : log_odds (p n.+1) <= t - m.
    { have G : log_odds (p n.+1) - t < 0 by nra. move: C; rewrite Rabs_left; lra. }
    have := sigma_le _ _ E. have := sigma_le _ _ F. rewrite /d. split_Rabs; lra. }
have [N HN] := U true true (d / 2) ltac:(lra).
have A := HN N (le_n N). have B := HN N.+1 (le_S _ _ (le_n N)). have C := J N. rewrite /R_dist in A B.
move: A B C. split_Rabs; lra.
Qed.

Local Notation balance := (balanced_odds L0 beta).

(* The full class. *)
Section Full.
Variables (tau x : R) (p : nat -> generator g) (q : nat -> classifier g).
Local Notation ratio := ((tau - 1) / (tau + beta)).
Hypotheses (tau_beta : 0 < tau + beta) (start : run_from (full g) tau x p q).

Theorem full_recursion n : q n = split (log_odds (q n)) /\ p n = q n /\
  log_odds (q n.+1) = ((tau - 1) * log_odds (q n) + beta * L0) / (tau + beta).
Proof.
have S := run_split _ _ _ _ _ _ full_answers tau_beta start.
have [P [Q [E F]]] := S n. have [_ [_ [G _]]] := S n.+1. do !split=> //; first by rewrite Q P E.
rewrite G F E. field. lra.
Qed.

Theorem full_closed_form n : log_odds (q n) = balance + ((tau - 1) / (tau + beta)) ^ n * (x - balance).
Proof.
elim: n => [|n IH] /=; first by have [_ [<- _]] := full_recursion 0; rewrite (start_odds _ _ _ _ _ start); ring.
have [_ [_ ->]] := full_recursion n. rewrite IH /balanced_odds. field. lra.
Qed.

Lemma full_odds n : p n = split (log_odds (p n)).
Proof. have [A [B _]] := full_recursion n. by rewrite {1}B A B. Qed.

Lemma full_difference n : log_odds (p n.+1) - balance = ratio * (log_odds (p n) - balance).
Proof.
have [_ [-> _]] := full_recursion n.+1. have [_ [-> _]] := full_recursion n. rewrite !full_closed_form /=. ring.
Qed.

Lemma ratio_cleared : (ratio + 1) * (tau + beta) = 2 * tau + beta - 1 /\ (1 - ratio) * (tau + beta) = 1 + beta.
Proof. split; field; lra. Qed.

Theorem full_equilibrium : 0 < beta -> nash (full g) (split balance : generator g) (split balance).
Proof. move=> Hb. have := answers_nash _ _ balance Hb full_answers. apply. rewrite /balanced_odds. field. lra. Qed.

Theorem full_limit : 1 < 2 * tau + beta -> forall i z, Un_cv (fun n => p n i z) (split balance i z).
Proof.
move=> H. have [A B] := ratio_cleared. apply: split_limit full_odds _.
apply: (geometric_limit _ _ (Rabs ratio)) => [|n]; last by rewrite full_difference Rabs_mult; lra.
split; [exact: Rabs_pos|apply: Rabs_def1; nra].
Qed.

Theorem full_threshold : converges p <-> 1 < 2 * tau + beta \/ x = balance.
Proof.
have [A B] := ratio_cleared. split=> [C|[H|H]].
- case: (Rlt_le_dec 1 (2 * tau + beta)) => [|H]; [by left|right]. case: (Req_dec x balance) => // N. exfalso; move: C.
  have r1 : ratio <= -1 by nra. have P := Rabs_pos_lt (x - balance) ltac:(lra).
  have D n : Rabs (x - balance) <= Rabs (log_odds (p n) - balance).
  { elim: n => [|n IH]; first by rewrite (start_odds _ _ _ _ _ start); lra.
    rewrite full_difference Rabs_mult (Rabs_left ratio); last lra. nra. }
  apply: alternating_diverges full_odds P _ => n. split=> //. rewrite full_difference. have := D n.
  move: (log_odds _ - _) => d E. have : 0 < d * d by split_Rabs; nra. nra.
- exists (split balance). exact: full_limit.
- exists (split balance) => i z e He. exists 0%nat => n _. rewrite full_odds.
  have [_ [-> _]] := full_recursion n. by rewrite full_closed_form H Rminus_eq_0 Rmult_0_r Rplus_0_r R_dist_eq.
Qed.

Theorem full_two_cycle : 2 * tau + beta = 1 -> forall n,
  p n.+2 = p n /\ q n.+2 = q n /\ (x <> balance -> p n.+1 <> p n /\ q n.+1 <> q n).
Proof.
move=> H n. have r1 : ratio = -1 by have [A _] := ratio_cleared; nra.
have D m : log_odds (p m.+1) - balance = - (log_odds (p m) - balance) by rewrite full_difference r1; ring.
have E : p n.+2 = p n by rewrite full_odds (full_odds n); congr split; have := D n; have := D n.+1; lra.
have [_ [A _]] := full_recursion n. have [_ [B _]] := full_recursion n.+1. have [_ [C _]] := full_recursion n.+2.
split=> //. split=> [|N]; first by rewrite -A -C.
suff F : p n.+1 <> p n by rewrite -A -B.
move=> G. have := D n. rewrite G A full_closed_form r1 => K.
have /Rmult_integral : (-1) ^ n * (x - balance) = 0 by lra. have := pow_nonzero (-1) n ltac:(lra). lra.
Qed.

Theorem full_unbounded : 2 * tau + beta < 1 -> x <> balance -> cv_infty (fun n => Rabs (log_odds (q n))).
Proof.
move=> H N M. have [A _] := ratio_cleared. have r1 : Rabs ratio > 1 by rewrite Rabs_left; nra.
have P := Rabs_pos_lt (x - balance) ltac:(lra).
have [n0 Hn] := Pow_x_infinity _ r1 ((Rabs M + Rabs balance + 1) / Rabs (x - balance)).
exists n0 => n /Hn /Rge_le H'. rewrite full_closed_form. have := Rmult_le_compat_r _ _ _ (Rlt_le _ _ P) H'.
have -> : (Rabs M + Rabs balance + 1) / Rabs (x - balance) * Rabs (x - balance) = Rabs M + Rabs balance + 1
  by field; lra.
rewrite -Rabs_mult. move: (_ ^ n * _) => y. split_Rabs; lra.
Qed.
End Full.

(* The clipped class, tau = 0. *)
Section Clipped.
Variables (gamma : R) (gamma_pos : 0 < gamma) (x : R) (p : nat -> generator g) (q : nat -> classifier g).
Local Notation l := (logit (1 - gamma)).
Hypotheses (beta_pos : 0 < beta) (gamma_half : gamma < 1 / 2) (start : run_from (clipped g gamma gamma_pos) 0 x p q).
Let l_pos : 0 < l := bound_pos gamma gamma_pos gamma_half.
Let inv_pos : 0 < / beta := Rinv_0_lt_compat _ beta_pos.

Lemma clipped_run n : p n = split (log_odds (p n)) /\ q n = split (log_odds (q n)) /\
  log_odds (q n) = clip l (log_odds (p n)) /\ log_odds (p n.+1) = L0 - log_odds (q n) / beta.
Proof.
have k : 0 < 0 + beta by lra.
have [P [Q [E F]]] := run_split _ _ _ _ _ _ (clipped_answers gamma gamma_pos gamma_half) k start n.
do !split=> //. rewrite F. field. lra.
Qed.

Theorem clipped_recursion n : q n = split (log_odds (q n)) /\ p n.+1 = split (L0 - log_odds (q n) / beta) /\
  log_odds (q n.+1) = clip l (L0 - log_odds (q n) / beta).
Proof.
have [_ [Q [_ F]]] := clipped_run n. have [P' [_ [E' _]]] := clipped_run n.+1. by rewrite E' -F.
Qed.

Lemma reference_balance : L0 = balance + balance / beta.
Proof. rewrite /balanced_odds. field. lra. Qed.

Lemma clipped_fixed : clip l (L0 - clip l balance / beta) = clip l balance.
Proof.
rewrite {1}reference_balance.
case: (clip_cases l balance ltac:(lra)) => [[H ->]|[[H ->]|[H ->]]]; rewrite /Rdiv.
- apply: clip_low; nra.
- rewrite (_ : balance + balance * / beta - balance * / beta = balance) ?clip_id //; ring.
- apply: clip_high; nra.
Qed.

Theorem clipped_equilibrium :
  nash (clipped g gamma gamma_pos) (split (L0 - clip l balance / beta) : generator g) (split (clip l balance)).
Proof.
rewrite -{2}clipped_fixed. apply: answers_nash => //; first exact: clipped_answers. by rewrite clipped_fixed.
Qed.

Theorem clipped_limit : 1 < beta -> forall i z, Un_cv (fun n => p n i z) (split (L0 - clip l balance / beta) i z).
Proof.
move=> H.
apply: split_limit; first by move=> n; exact: (proj1 (clipped_run n)).
apply: (geometric_limit _ _ (/ beta)) => [|n].
- have := Rmult_lt_compat_r _ _ _ inv_pos H. rewrite Rinv_r; lra.
- have [_ [_ [E ->]]] := clipped_run n. rewrite E -{1}clipped_fixed.
  have := clip_lipschitz l (log_odds (p n)) (L0 - clip l balance / beta) ltac:(lra).
  set c := clip l _. set t := clip l _ => B.
  have -> : L0 - c / beta - (L0 - t / beta) = / beta * - (c - t) by rewrite /Rdiv; ring.
  rewrite Rabs_mult Rabs_Ropp (Rabs_pos_eq (/ beta)); nra.
Qed.

(* A balance within the bounds: the log-odds jump over it in every round and, for beta <= 1, come no nearer. *)
Lemma clipped_alternates : beta <= 1 -> Rabs balance < l -> forall n,
  Rmin (Rabs (x - balance)) (l - Rabs balance) <= Rabs (log_odds (p n) - balance) /\
  (x <> balance -> (log_odds (p n) - balance) * (log_odds (p n.+1) - balance) < 0).
Proof.
move=> H1 Hb. set m := Rmin _ _. have I1 : 1 <= / beta by have : beta * / beta = 1 by [apply: Rinv_r; lra]; nra.
have J n : log_odds (p n.+1) - balance = - ((clip l (log_odds (p n)) - balance) * / beta).
{ have [_ [_ [<- ->]]] := clipped_run n. rewrite {1}reference_balance /Rdiv. ring. }
have K s : Rmin (Rabs (s - balance)) (l - Rabs balance) <= Rabs (clip l s - balance) /\
  (s <> balance -> 0 < (s - balance) * (clip l s - balance)).
{ case: (clip_cases l s ltac:(lra)) => [[A ->]|[[A ->]|[A ->]]].
  - split; [apply: Rle_trans (Rmin_r _ _) _; split_Rabs; lra|split_Rabs; nra].
  - split; [exact: Rmin_l|nra].
  - split; [apply: Rle_trans (Rmin_r _ _) _; split_Rabs; lra|split_Rabs; nra]. }
have M n : m <= Rabs (log_odds (p n) - balance).
{ elim: n => [|n IH]; first by rewrite (start_odds _ _ _ _ _ start); exact: Rmin_l.
  rewrite J Rabs_Ropp Rabs_mult (Rabs_pos_eq (/ beta)); last lra.
  have B : m <= Rabs (clip l (log_odds (p n)) - balance).
  { apply: Rle_trans (proj1 (K _)). apply: Rmin_glb => //. exact: Rmin_r. }
  have := Rabs_pos (clip l (log_odds (p n)) - balance). nra. }
move=> n. split=> // N. rewrite J. have : log_odds (p n) <> balance.
{ move=> E. have := M n. rewrite E Rminus_eq_0 Rabs_R0. have := Rabs_pos_lt (x - balance) ltac:(lra).
  have := Rmin_glb_lt (Rabs (x - balance)) (l - Rabs balance) 0. rewrite -/m. lra. }
move=> /(proj2 (K _)). nra.
Qed.

(* A balance out of reach: the classifier stays at the bound next to it from the second round on. *)
Lemma clipped_settles : x = balance \/ l <= Rabs balance -> forall n, log_odds (q n.+1) = clip l balance.
Proof.
case: (Rlt_le_dec (Rabs balance) l) => [Hb [E|]|Hb _ n]; last 1 first.
- have [_ [_ ->]] := clipped_recursion n. have [_ [_ [-> _]]] := clipped_run n.
  have := clip_bounds l (log_odds (p n)) ltac:(lra). move: (clip l _) => c B.
  rewrite {1}reference_balance /Rdiv. move: Hb. rewrite /Rabs.
  case: Rcase_abs => S Hb; [rewrite !clip_low|rewrite !clip_high]; try lra; nra.
- have B : clip l balance = balance by apply: clip_id; split_Rabs; lra.
  have P n : log_odds (p n) = balance.
  { elim: n => [|n IH]; first by rewrite (start_odds _ _ _ _ _ start).
    have [_ [_ [E' ->]]] := clipped_run n. rewrite E' IH B {1}reference_balance. ring. }
  move=> n. have [_ [_ [-> _]]] := clipped_run n.+1. by rewrite P.
- lra.
Qed.

Theorem clipped_threshold : converges p <-> 1 < beta \/ x = balance \/ l <= Rabs balance.
Proof.
split=> [C|[H|H]].
- case: (Rlt_le_dec 1 beta) => [|H]; [by left|right]. case: (Req_dec x balance) => [|N]; [by left|right].
  case: (Rle_lt_dec l (Rabs balance)) => // Hb. exfalso; move: C. have A := clipped_alternates H Hb.
  apply: (alternating_diverges p balance (Rmin (Rabs (x - balance)) (l - Rabs balance))) => [n||n].
  + exact: (proj1 (clipped_run n)).
  + apply: Rmin_glb_lt; [apply: Rabs_pos_lt; lra|lra].
  + split; [exact: (proj1 (A n))|exact: (proj2 (A n))].
- exists (split (L0 - clip l balance / beta)). exact: clipped_limit.
- exists (split (L0 - clip l balance / beta)). apply: split_limit; first by move=> n; exact: (proj1 (clipped_run n)).
  move=> e He. exists 2%nat => [[|[|n]]] Hn; try by move: Hn => /leP.
  have [_ [_ [_ ->]]] := clipped_run n.+1. by rewrite clipped_settles // R_dist_eq.
Qed.

Theorem clipped_period_two : beta = 1 -> forall n, q n.+3 = q n.+1 /\ p n.+4 = p n.+2.
Proof.
move=> E n.
have [_ [_ A1]] := clipped_recursion n. have [B1 [C1 A2]] := clipped_recursion n.+1.
have [_ [_ A3]] := clipped_recursion n.+2. have [B3 [C3 _]] := clipped_recursion n.+3.
suff D : log_odds (q n.+3) = log_odds (q n.+1) by rewrite B1 C1 B3 C3 D.
have [_ [_ [F _]]] := clipped_run n. have := clip_bounds l (log_odds (p n)) ltac:(lra). rewrite -F => G.
rewrite A3 A2 A1 E /Rdiv Rinv_1 !Rmult_1_r. apply: clip_period => //. exact: Rlt_le.
Qed.
End Clipped.
End Run.

(* The uniform reference: L0 = 0. *)
Section Uniform.
Context {beta : R} {beta_ge0 : 0 <= beta}.
Local Notation g := (two_texts 0 beta beta_ge0).
Implicit Types (Q : class g).

Definition uniform (_ _ : bool) : R := 1 / 2.

Lemma split_0 : split 0 = uniform.
Proof. by do 2 (apply: functional_extensionality => ?); rewrite split_half. Qed.

Lemma balanced_0 : balanced_odds 0 beta = 0.
Proof. rewrite /balanced_odds /Rdiv. ring. Qed.

Theorem uniform_value : payoff (uniform : generator g) uniform = ln 2.
Proof.
rewrite -split_0 payoff_row divergence_self; last exact: (proj1 (split_interior 0)).
rewrite split_0 sigma_0 /uniform. have -> : 1 / 2 = / 2 by field. rewrite ln_Rinv; lra.
Qed.

Definition full_or_clipped Q := Q = full g \/ exists gamma Hg, gamma < 1 / 2 /\ Q = clipped g gamma Hg.

Theorem uniform_nash Q : 0 < beta -> full_or_clipped Q -> nash Q (uniform : generator g) uniform.
Proof.
move=> Hb [->|[gamma [Hg [H ->]]]]; rewrite -split_0.
- have := @full_equilibrium 0 beta beta_ge0 Hb. by rewrite balanced_0.
- have := @clipped_equilibrium 0 beta beta_ge0 gamma Hg Hb H. rewrite balanced_0 clip_id.
  + by rewrite /Rdiv Rmult_0_l Rminus_0_r.
  + have := bound_pos gamma Hg H; lra.
Qed.

Theorem two_texts_run Q x : 0 < beta -> full_or_clipped Q -> exists p q, run_from Q 0 x p q.
Proof.
move=> Hb H. have k : 0 < 0 + beta by lra. case: H => [->|[gamma [Hg [H ->]]]].
- exact: answers_run full_answers k.
- exact: answers_run (clipped_answers gamma Hg H) k.
Qed.

Theorem two_texts_limit Q x (p : nat -> generator g) (q : nat -> classifier g) :
  1 < beta -> full_or_clipped Q -> run_from Q 0 x p q -> forall i z, Un_cv (fun n => p n i z) (1 / 2).
Proof.
move=> H1 [->|[gamma [Hg [H ->]]]] R i z; rewrite -(split_half i z).
- have k : 0 < 0 + beta by lra. have k' : 1 < 2 * 0 + beta by lra.
  have := full_limit 0 x p q k R k' i z. by rewrite balanced_0.
- have Hb : 0 < beta by lra. have := clipped_limit gamma Hg x p q Hb H R H1 i z.
  rewrite balanced_0 clip_id; first by rewrite /Rdiv Rmult_0_l Rminus_0_r.
  have := bound_pos gamma Hg H; lra.
Qed.

(* The threshold of the paper's iteration: an unbalanced start converges for beta > 1 and for no other beta. *)
Theorem two_texts_threshold Q x (p : nat -> generator g) (q : nat -> classifier g) :
  0 < beta -> full_or_clipped Q -> run_from Q 0 x p q -> x <> 0 -> (converges p <-> 1 < beta).
Proof.
move=> Hb [->|[gamma [Hg [H ->]]]] R N.
- have k : 0 < 0 + beta by lra.
  have T := full_threshold 0 x p q k R. rewrite balanced_0 in T. apply: (iff_trans T).
  split=> [[K|//]|K]; [lra|left; lra].
- have T := clipped_threshold gamma Hg x p q Hb H R. rewrite balanced_0 Rabs_R0 in T. apply: (iff_trans T).
  have L := bound_pos gamma Hg H. split=> [[//|[//|K]]|K]; [lra|by left].
Qed.

(* Where the classifier answers split (y / beta) with split y, only the generator has a regret: it would move to
   split (- y / beta). *)
Lemma cycle_gap Q c y e : 0 < beta -> answers Q c -> c (y / beta) = y ->
  exploitability Q (split (y / beta) : generator g) (split y) e <-> e = y * tanh (y / (2 * beta)).
Proof.
move=> Hb HQ E. have R : reply Q (split (y / beta) : generator g) (split y) by apply: (proj2 (HQ _ _)); rewrite E.
rewrite (@gap g Hb Q _ _ _ e (proj1 (split_interior _)) (proj1 R) R). rewrite Rminus_eq_0 Rplus_0_r.
rewrite /generator_reply /= step_split; last by lra.
have -> : (0 * 0 + beta * 0 - y) / (0 + beta) = - (y / beta) by field; lra.
have -> : y / (2 * beta) = (y / beta) / 2 by field; lra.
rewrite tanh_sigma /divergence /avg !rsum_bool /split /= Ropp_involutive.
have [A B] := sigma_bounds (y / beta). have [C D] := sigma_bounds (- (y / beta)).
rewrite !ln_div // sigma_opp. have := ln_sigma (y / beta). rewrite sigma_opp => L.
set u := ln (sigma _) in L *. set v := ln (1 - _) in L *. have {L} -> : u = v + y / beta by lra.
have -> : y * (2 * sigma (y / beta) - 1) = beta * (y / beta) * (2 * sigma (y / beta) - 1) by field; lra.
split=> ->; field; lra.
Qed.

Theorem full_uniform_recursion tau x p q : 0 < tau + beta -> run_from (full g) tau x p q ->
  forall n, log_odds (q n.+1) = (tau - 1) / (tau + beta) * log_odds (q n).
Proof.
move=> k R n. have [_ [_ ->]] := full_recursion tau x p q k R n. field. lra.
Qed.

Section Clipped.
Variables (gamma : R) (gamma_pos : 0 < gamma) (x : R) (p : nat -> generator g) (q : nat -> classifier g).
Local Notation l := (logit (1 - gamma)).
Hypotheses (beta_pos : 0 < beta) (gamma_half : gamma < 1 / 2) (start : run_from (clipped g gamma gamma_pos) 0 x p q).
Let l_pos : 0 < l := bound_pos gamma gamma_pos gamma_half.
Let inv_pos : 0 < / beta := Rinv_0_lt_compat _ beta_pos.

Theorem clipped_uniform_recursion n : q n = split (log_odds (q n)) /\ p n.+1 = split (- log_odds (q n) / beta) /\
  log_odds (q n.+1) = clip l (- log_odds (q n) / beta).
Proof.
have [A [B C]] := clipped_recursion gamma gamma_pos x p q beta_pos gamma_half start n.
have E : - log_odds (q n) / beta = 0 - log_odds (q n) / beta by field; lra.
by rewrite E.
Qed.

Lemma clipped_start : log_odds (q 0%nat) = clip l x.
Proof.
have [_ [_ [-> _]]] := clipped_run gamma gamma_pos x p q beta_pos gamma_half start 0.
by rewrite (start_odds _ _ _ _ _ start).
Qed.

Theorem clipped_closed_form n : log_odds (q n) = clip l ((- / beta) ^ n * log_odds (q 0%nat)).
Proof.
have B := clip_bounds l x ltac:(lra). rewrite -clipped_start in B.
elim: n => [|n IH]; first by rewrite /= Rmult_1_l clip_id.
have [_ [_ ->]] := clipped_uniform_recursion n.
have J : beta * / beta = 1 by apply: Rinv_r; lra.
rewrite IH /Rdiv (_ : (- / beta) ^ n.+1 * _ = - ((- / beta) ^ n * log_odds (q 0%nat)) * / beta);
  last by rewrite /=; ring.
set y := _ ^ n * _ in IH *.
case: (Rle_lt_dec beta 1) => Hb.
- case: (clip_cases l y ltac:(lra)) => [[A ->]|[[A ->]|[A ->]]] //;
    [rewrite !clip_high|rewrite !clip_low]; try lra; nra.
- have A : Rabs ((- / beta) ^ n) <= 1.
  { rewrite -RPow_abs Rabs_Ropp Rabs_pos_eq; last lra. rewrite -(pow1 n). apply: pow_incr. nra. }
  rewrite (clip_id l y) //. move: A B. rewrite /y. move: (_ ^ n) (log_odds _) => r s0. split_Rabs; nra.
Qed.

Theorem clipped_size n : Rabs (log_odds (q n)) = Rmin l (Rabs (log_odds (q 0%nat)) / beta ^ n).
Proof.
rewrite clipped_closed_form clip_abs; last lra. congr Rmin.
rewrite Rabs_mult -RPow_abs Rabs_Ropp Rabs_pos_eq; last lra. by rewrite pow_inv Rmult_comm.
Qed.

Lemma clipped_nonzero : x <> 0 -> forall n, log_odds (q n) <> 0.
Proof.
move=> N n E. have := clipped_size n. rewrite E Rabs_R0.
have A : 0 < Rabs (log_odds (q 0%nat)).
{ apply: Rabs_pos_lt. rewrite clipped_start. case: (clip_cases l x ltac:(lra)) => [[_ ->]|[[_ ->]|[_ ->]]]; lra. }
have := Rmin_glb_lt _ _ _ l_pos (Rdiv_lt_0_compat _ _ A (pow_lt _ n beta_pos)). lra.
Qed.

Theorem clipped_two_cycle : beta = 1 -> forall n,
  q n.+2 = q n /\ p n.+3 = p n.+1 /\ (x <> 0 -> q n.+1 <> q n /\ p n.+2 <> p n.+1).
Proof.
move=> E n.
have F m : log_odds (q m.+1) = - log_odds (q m).
{ have [_ [_ ->]] := clipped_uniform_recursion m. have B := clipped_size m. rewrite E /Rdiv Rinv_1 Rmult_1_r clip_id //.
  have := Rmin_l l (Rabs (log_odds (q 0%nat)) / beta ^ m). rewrite -B. split_Rabs; lra. }
have [A [B _]] := clipped_uniform_recursion n. have [A1 [B1 _]] := clipped_uniform_recursion n.+1.
have [A2 [B2 _]] := clipped_uniform_recursion n.+2. have F1 := F n. have F2 := F n.+1.
have G : log_odds (q n.+2) = log_odds (q n) by lra.
split; first by rewrite A A2 G. split=> [|N]; first by rewrite B B2 G.
have Z := clipped_nonzero N n. split=> K; apply: Z; [rewrite K in F1; lra|].
have : log_odds (p n.+2) = log_odds (p n.+1) by rewrite K.
rewrite B B1 !log_odds_split E /Rdiv Rinv_1. lra.
Qed.

(* Below the threshold: from some round on, the run is the 2-cycle between the two bounds, and its gap stays put. *)
Theorem clipped_cycle : beta < 1 -> x <> 0 -> exists N, forall n, (N <= n)%nat ->
  Rabs (log_odds (q n)) = l /\ log_odds (q n.+1) = - log_odds (q n) /\ q n.+2 = q n /\ p n.+2 = p n /\
  forall e, exploitability (clipped g gamma gamma_pos) (p n) (q n) e <-> e = l * tanh (l / (2 * beta)).
Proof.
move=> Hb Hx.
have J : beta * / beta = 1 by apply: Rinv_r; lra.
have A := Rabs_pos_lt _ (clipped_nonzero Hx 0).
have [N HN] := pow_lt_1_zero beta ltac:(rewrite Rabs_pos_eq; lra) _ (Rdiv_lt_0_compat _ _ A l_pos).
have S n : (N <= n)%nat -> Rabs (log_odds (q n)) = l.
{ move=> /leP Hn. have {}HN := HN n Hn. have P := pow_lt _ n beta_pos. rewrite clipped_size Rmin_left //.
  rewrite Rabs_pos_eq in HN; last lra. apply: (Rmult_le_reg_r (beta ^ n)) => //.
  rewrite /Rdiv Rmult_assoc Rinv_l; last lra. have := Rmult_lt_compat_l l _ _ l_pos HN.
  have -> : l * (Rabs (log_odds (q 0%nat)) / l) = Rabs (log_odds (q 0%nat)) by field; lra. lra. }
have T n : (N <= n)%nat -> log_odds (q n.+1) = - log_odds (q n).
{ move=> /S B. have [_ [_ ->]] := clipped_uniform_recursion n. move: B. rewrite /Rabs /Rdiv.
  case: Rcase_abs => C B; [rewrite clip_high|rewrite clip_low]; nra. }
exists N.+1 => -[//|n] Hn. have Hn' : (N <= n)%nat by []. have Hn1 : (N <= n.+1)%nat by exact: leqW.
have T0 := T n Hn'. have T1 := T n.+1 Hn1. have T2 := T n.+2 (leqW Hn1).
have [_ [P1 Q1]] := clipped_uniform_recursion n. have [Q2 _] := clipped_uniform_recursion n.+1.
have [_ [P3 _]] := clipped_uniform_recursion n.+2. have [Q3 _] := clipped_uniform_recursion n.+3.
split; [exact: S|split=> //; split; first by rewrite Q3 Q2; congr split; lra].
split=> [|e]; first by rewrite P3 P1; congr (split (- _ / _)); lra.
rewrite -T0 in P1 Q1. rewrite Q2 P1 (cycle_gap _ _ _ _ beta_pos (clipped_answers gamma gamma_pos gamma_half)) //.
by rewrite /Rdiv (tanh_even _ _ _ (S _ Hn1)).
Qed.

Lemma cycle_gap_pos : 0 < l * tanh (l / (2 * beta)).
Proof.
apply: Rmult_lt_0_compat => //.
have -> : l / (2 * beta) = (l / beta) / 2 by field; lra. rewrite tanh_sigma.
have := sigma_lt 0 (l / beta) (Rdiv_lt_0_compat _ _ l_pos beta_pos). rewrite sigma_0. lra.
Qed.
End Clipped.
End Uniform.
