(* Matrix games with a KL term per player: proximal best replies converge (section 10: Definition 5, Proposition 7,
   Theorem D and Corollaries D.1 to D.3).  Strategies, KL and the payoff F(x, y) = x'Ay - s KL(x || reference)
   + t KL(y || reference), which the row player raises and the column player lowers, are those of KlMatrix.v.

   One player with a prior P, that is a reference r and a temperature t, who faces utilities u:
   worth P u p         == sum_i p_i u_i - t KL(p || r), what the player raises
   interior P p        == p is a strategy, positive wherever some strategy is
   step P tau q u      == proportional to (q^tau r^t e^u)^(1 / (tau + t)), the proximal best reply from q
   reply P u           == proportional to r e^(u / t), the best reply at a temperature t > 0
   top u               == the largest of the u_i
   regret P u p        == t KL(p || reply P u), and sum_i p_i (top u - u_i) if t = 0
   best_regret         == what p lacks against a best reply is regret P u p
   reply_spread        == t KL(reply v || reply u) <= d^2 / (8 t), where u - v spreads over at most d
   reply_smooth        == Proposition 7.2 for either player

   The game g; x is a row strategy, y a column strategy, tau the step's weight:
   row_utilities g y, column_utilities g x == Ay and -A'x
   row_reply g y, column_reply g x         == the best replies in closed form, for a positive temperature
   row_best g y x, column_best g x y       == x is a best reply to y, y is a best reply to x
   exploitability g x y e == e is the gap: what two best replies would gain, summed
   least_payoff g x    == G(x), the payoff of x against its best reply (column temperature positive)
   interaction g w     == A_ij - A_il - A_kj + A_kl <= w for all rows i, k and columns j, l
   run g tau x n       == x_n of Theorem D from x_0 = x: in each round a step against column_reply g x_n
   growth g tau        == 1 + (row temperature) / tau, written w in the paper's corollaries
   average g tau x n   == the average of y_0, ..., y_(n-1), weights growth^s

   proposition_7_1, proposition_7_1_replies == regrets, the gap and best replies in closed form
   proposition_7_2     == 0 <= F(u, y_x) - G(u) = t KL(y_x || y_u) <= w^2 / (16 t) KL(u || x)
   proposition_7_2_range == w = 2 r where payoffs lie within r of each other
   proposition_7_2_sharp == no smaller constant will do
   theorem_D_equilibria == they exist, are the maximisers of G with their replies, and only x may differ, at s = 0
   theorem_D_step      == the step is the one maximiser of F(u, y) - tau KL(u || x)
   theorem_D           == the energy balance of a round, for tau >= w^2 / (16 t)
   corollary_D_1, corollary_D_2, corollary_D_2_uniform, corollary_D_3 == strategies and values, the gap, the last pair

   How existence is proved: by Corollary D.2, which needs no equilibrium, F(u, average) - F(x_n, v) <= K / n for all u
   and v at once; a limit point of the pairs is a saddle point. Subsequences are found by search, without choice. *)
From mathcomp Require Import ssreflect ssrfun ssrbool eqtype ssrnat seq choice fintype bigop.
From Coq Require Import Reals Lra Lia Psatz ConstructiveEpsilon.
From Coquelicot Require Import Coquelicot.
From Nashguard Require Import Sums Logs KlMatrix.
From Nashguard Require Averages Damped Existence Pinsker.
Open Scope R_scope.

(** * Distributions *)

Section Distributions.
Variable T : finType.
Implicit Types f p q : T -> R.

Definition top f := let s := [seq f i | i <- enum T] in foldr Rmax (head 0 s) s.

Lemma top_is f k : (forall i, f i <= f k) -> top f = f k.
Proof.
move=> H. rewrite /top. set z := head _ _. have Hz : z <= f k.
{ rewrite /z. have : k \in enum T by rewrite mem_enum. by case: (enum T) => [|i s] //= _. }
have : k \in enum T by rewrite mem_enum. have : forall s, foldr Rmax z [seq f i | i <- s] <= f k.
{ elim=> [|i s IH] //=. exact: Rmax_lub. }
elim: (enum T) => [|i s IH] //= L. have A := L s. rewrite inE => /orP [/eqP <-|/IH E]; first exact: Rmax_left.
rewrite E //. exact: Rmax_right.
Qed.

Lemma top_exists f (i0 : T) : exists i, forall j, f j <= f i.
Proof.
suff H (s : seq T) : exists i, f i0 <= f i /\ forall j, j \in s -> f j <= f i.
{ have [i [_ Hi]] := H (enum T). exists i => j. by apply: Hi; rewrite mem_enum. }
elim: s => [|k s [i [H0 Hi]]]; first by exists i0; split; [right|].
case: (Rle_dec (f k) (f i)) => [L|/Rnot_le_lt L].
- exists i. split=> // j. rewrite inE => /orP [/eqP ->|/Hi]; lra.
- exists k. split=> [|j]; first lra. rewrite inE => /orP [/eqP ->|/Hi]; lra.
Qed.

Lemma positive_exists p : (forall i, 0 <= p i) -> \rsum_(i : T) p i = 1 -> exists i, 0 < p i.
Proof.
move=> p0 p1. have [i0 _ |N] := pickP (fun _ : T => true); last by move: p1; rewrite big_pred0 //; lra.
have [i H] := top_exists p i0. exists i. case: (Rlt_dec 0 (p i)) => // N.
have := rsum_le _ p (fun _ => 0) (fun j => Rle_trans _ _ _ (H j) (Rnot_lt_le _ _ N)). rewrite rsum_0; lra.
Qed.

Lemma kl_ext p p' q q' : (forall i, p i = p' i) -> (forall i, q i = q' i) -> kl p q = kl p' q'.
Proof. move=> H K. apply: rsum_ext => i. by rewrite H K. Qed.

Section Divergence.
Variables (p q : T -> R).
Hypotheses (p0 : forall i, 0 <= p i) (p1 : \rsum_(i : T) p i = 1) (q0 : forall i, 0 <= q i)
  (q1 : \rsum_(i : T) q i = 1) (pq : forall i, q i = 0 -> p i = 0).

Lemma kl_excess : kl p q = \rsum_(i : T) (p i * ln (p i / q i) - (p i - q i)).
Proof. rewrite rsum_sub rsum_sub p1 q1 /kl. ring. Qed.

Lemma excess_ge0 i : 0 <= p i * ln (p i / q i) - (p i - q i).
Proof.
case: (q0 i) => [Q|Q]; first by have := gibbs_le (p i) (q i) (p0 i) Q; lra. rewrite pq -?Q //; lra.
Qed.

Lemma kl_ge0 : 0 <= kl p q.
Proof. rewrite kl_excess. apply: rsum_ge0; exact: excess_ge0. Qed.

Lemma kl_eq0 : kl p q = 0 -> forall i, p i = q i.
Proof.
rewrite kl_excess => /(rsum_eq0 _ _ excess_ge0) E i. case: (q0 i) => [Q|Q]; last by rewrite pq -?Q.
case: (Req_dec (p i) (q i)) => // N. have := gibbs_lt (p i) (q i) (p0 i) Q N. have := E i. lra.
Qed.

Lemma kl_le m : 0 < m -> (forall i, 0 < q i -> m <= q i) -> kl p q <= - ln m.
Proof.
move=> m0 H. have -> : - ln m = \rsum_(i : T) (p i * - ln m) by rewrite rsum_scalr p1; ring.
apply: rsum_le => i. case: (p0 i) => [P|<-]; last lra. apply: Rmult_le_compat_l; first exact: p0.
have Q : 0 < q i by case: (q0 i) => // Q; have := pq i (esym Q); lra.
have L : p i <= 1 by rewrite -p1; exact: (rsum_single_le _ p). rewrite ln_div //.
have := ln_le _ _ P L. have := ln_le _ _ m0 (H i Q). rewrite ln_1; lra.
Qed.
End Divergence.

Lemma kl_self p : (forall i, 0 <= p i) -> kl p p = 0.
Proof.
move=> p0. rewrite -[RHS](rsum_0 T). apply: rsum_ext => i. case: (p0 i) => [P|<-]; last ring.
rewrite /Rdiv Rinv_r ?ln_1; lra.
Qed.
End Distributions.

(** * One player: proximal steps and best replies to given utilities *)

Section Player.
Variables (T : finType) (P : prior T).
Implicit Types (tau : R) (u v p q : T -> R).
Notation r := (reference P).
Notation t := (temperature P).

Definition worth u p := \rsum_(i : T) (p i * u i) - t * kl p r.

Definition interior p := strategy P p /\ forall i, (0 < t -> 0 < r i) -> 0 < p i.

Definition weight tau q u i := if Rlt_dec 0 (q i) then exp ((tau * ln (q i) + t * ln (r i) + u i) / (tau + t)) else 0.
Definition normaliser tau q u := \rsum_(i : T) weight tau q u i.
Definition step tau q u i := weight tau q u i / normaliser tau q u.
Definition reply u := step 0 r u.

Lemma live p q i : strategy P p -> interior q -> p i = 0 \/ [/\ 0 < p i, 0 < q i & 0 < t -> 0 < r i].
Proof.
move=> [p0 _ pr] [_ qi]. case: (p0 i) => [H|<-]; last by left. right.
have R : 0 < t -> 0 < r i.
{ move=> t0. case: (reference_ge0 _ P i) => // E. have := pr t0 i (esym E). lra. }
split=> //. exact: qi.
Qed.

Lemma support p q : strategy P p -> interior q -> forall i, q i = 0 -> p i = 0.
Proof. move=> Sp Iq i E. case: (live p q i Sp Iq) => // -[_ H _]. lra. Qed.

Lemma reference_interior : 0 < t -> interior r.
Proof.
move=> t0. split; last by move=> i; apply. by split=> //; [exact: reference_ge0|exact: reference_1].
Qed.

Lemma divergence_ge0 p q : strategy P p -> interior q -> 0 <= kl p q.
Proof. move=> Sp Iq. have [p0 p1 _] := Sp. have [q0 q1 _] := proj1 Iq. apply: kl_ge0 => //; exact: support. Qed.

Lemma divergence_eq0 p q : strategy P p -> interior q -> kl p q = 0 -> forall i, p i = q i.
Proof. move=> Sp Iq. have [p0 p1 _] := Sp. have [q0 q1 _] := proj1 Iq. apply: kl_eq0 => //; exact: support. Qed.

Lemma weight_ge0 tau q u i : 0 <= weight tau q u i.
Proof. rewrite /weight. case: Rlt_dec => H /=; [left; exact: exp_pos|lra]. Qed.

Lemma weight_pos tau q u i : 0 < q i -> 0 < weight tau q u i.
Proof. rewrite /weight. case: Rlt_dec => //= H _. exact: exp_pos. Qed.

Lemma normaliser_pos tau q u : interior q -> 0 < normaliser tau q u.
Proof.
move=> [[q0 q1 _] _]. have [i H] := positive_exists _ _ q0 q1.
exact: rsum_gt0 (weight_ge0 tau q u) (weight_pos tau q u i H).
Qed.

Lemma step_interior tau q u : interior q -> interior (step tau q u).
Proof.
move=> Iq. have N := normaliser_pos tau q u Iq. have [[q0 _ qr] qi] := Iq. split; first split.
- move=> i. apply: Rmult_le_pos; [exact: weight_ge0|left; exact: Rinv_0_lt_compat].
- rewrite /step /Rdiv rsum_scalr. apply: Rinv_r. rewrite -/(normaliser tau q u). lra.
- move=> t0 i /(qr t0 i) E. rewrite /step /weight. case: Rlt_dec => H /=; [lra|exact: Rmult_0_l].
- move=> i /qi H. apply: Rdiv_lt_0_compat => //. exact: weight_pos.
Qed.

(* Gibbs' identity: what is left of the worth is a divergence from the step. *)
Lemma step_identity tau q u p : 0 < tau + t -> interior q -> strategy P p ->
  worth u p - tau * kl p q = (tau + t) * ln (normaliser tau q u) - (tau + t) * kl p (step tau q u).
Proof.
move=> k0 Iq Sp. have N := normaliser_pos tau q u Iq. have [_ p1 _] := Sp. rewrite /worth /kl.
have -> : (tau + t) * ln (normaliser tau q u) = \rsum_(i : T) (p i * ((tau + t) * ln (normaliser tau q u)))
  by rewrite rsum_scalr p1; ring.
rewrite -!rsum_scal -!rsum_sub. apply: rsum_ext => i. case: (live p q i Sp Iq) => [->|[A B C]]; first ring.
have E : t * ln (p i / r i) = t * (ln (p i) - ln (r i)).
{ case: (temperature_ge0 _ P) => [t0|<-]; last ring. rewrite ln_div //. exact: C. }
have -> : t * (p i * ln (p i / r i)) = p i * (t * ln (p i / r i)) by ring.
rewrite E /step !ln_div //; [|exact: weight_pos|apply: Rdiv_lt_0_compat => //; exact: weight_pos].
rewrite /weight. case: Rlt_dec => //= H. rewrite ln_exp. field. lra.
Qed.

Lemma step_maximal tau q u p : 0 < tau + t -> interior q -> strategy P p ->
  worth u p - tau * kl p q = worth u (step tau q u) - tau * kl (step tau q u) q - (tau + t) * kl p (step tau q u).
Proof.
move=> k0 Iq Sp. have [Ss _] := step_interior tau q u Iq. have [s0 _ _] := Ss.
rewrite (step_identity tau q u p) // (step_identity tau q u (step tau q u)) // kl_self //. ring.
Qed.

Lemma reply_weight u i : 0 < t -> weight 0 r u i = r i * exp (u i / t).
Proof.
move=> t0. rewrite /weight. case: Rlt_dec => /= H; last by have := reference_ge0 _ P i => R; have -> : r i = 0; lra.
have -> : r i * exp (u i / t) = exp (ln (r i) + u i / t) by rewrite exp_plus exp_ln. congr exp. field. lra.
Qed.

Lemma reply_closed u i : 0 < t -> reply u i = r i * exp (u i / t) / \rsum_(k : T) (r k * exp (u k / t)).
Proof. move=> t0. rewrite /reply /step reply_weight //. congr (_ / _). apply: rsum_ext => k. exact: reply_weight. Qed.

Lemma reply_interior u : 0 < t -> interior (reply u).
Proof. move=> t0. apply: step_interior. exact: reference_interior. Qed.

Lemma reply_regret u p : 0 < t -> strategy P p -> worth u (reply u) - worth u p = t * kl p (reply u).
Proof.
move=> t0 Sp. have := step_maximal 0 r u p ltac:(lra) (reference_interior t0) Sp. rewrite -/(reply u). lra.
Qed.

Lemma reply_worth u : 0 < t -> worth u (reply u) = t * ln (normaliser 0 r u).
Proof.
move=> t0. have [S _] := reply_interior u t0. have [s0 _ _] := S.
have := step_identity 0 r u (reply u) ltac:(lra) (reference_interior t0) S. rewrite -/(reply u) kl_self //. lra.
Qed.

Definition regret u p := if Rlt_dec 0 t then t * kl p (reply u) else \rsum_(i : T) (p i * (top _ u - u i)).

Definition best u b := strategy P b /\ forall p, strategy P p -> worth u p <= worth u b.

Lemma reply_best u : 0 < t -> best u (reply u).
Proof.
move=> t0. split; first exact: (proj1 (reply_interior u t0)). move=> p Sp. have := reply_regret u p t0 Sp.
have := divergence_ge0 p _ Sp (reply_interior u t0). nra.
Qed.

Lemma best_unique u b : 0 < t -> best u b -> forall i, b i = reply u i.
Proof.
move=> t0 [Sb M]. have I := reply_interior u t0. apply: divergence_eq0 => //.
have := reply_regret u b t0 Sb. have := M _ (proj1 I). have := divergence_ge0 b _ Sb I. nra.
Qed.

Lemma pure_worth u p k : t = 0 -> strategy P p -> \rsum_(i : T) (p i * (u k - u i)) = u k - worth u p.
Proof.
move=> t0 [_ p1 _]. rewrite /worth t0 Rmult_0_l Rminus_0_r. rewrite (rsum_ext _ _ (fun i => p i * u k - p i * u i)).
- by rewrite rsum_sub rsum_scalr p1; ring.
- move=> i; ring.
Qed.

Definition pure (k : T) (i : T) := if i == k then 1 else 0.

Lemma pure_strategy k : t = 0 -> strategy P (pure k).
Proof.
move=> t0. split; [by move=> i; rewrite /pure; case: eqP => _; lra| |lra].
rewrite (bigD1 k) //= big1 /pure ?eqxx ?Rplus_0_r // => i /negbTE -> //.
Qed.

Lemma pure_best u : t = 0 -> exists k, (forall i, u i <= u k) /\ best u (pure k) /\ worth u (pure k) = u k.
Proof.
move=> t0. have [i0 _] := positive_exists _ _ (reference_ge0 _ P) (reference_1 _ P). have [k K] := top_exists _ u i0.
exists k. have S := pure_strategy k t0. have E := pure_worth u _ k t0 S.
have {}E : worth u (pure k) = u k.
{ rewrite big1 in E; first lra. move=> i _. rewrite /pure. case: eqP => [->|_]; ring. }
split=> //. split=> //. split=> // p Sp. have F := pure_worth u p k t0 Sp. have [p0 _ _] := Sp.
have : 0 <= \rsum_(i : T) (p i * (u k - u i)); last lra.
apply: rsum_ge0 => i. apply: Rmult_le_pos => //. have := K i. lra.
Qed.

Lemma best_exists u : exists b, best u b.
Proof.
case: (temperature_ge0 _ P) => [t0|/esym t0]; first by exists (reply u); exact: reply_best.
by have [k [_ [B _]]] := pure_best u t0; exists (pure k).
Qed.

(* A best reply's advantage in closed form, at a temperature or without one. *)
Lemma best_regret u b p : best u b -> strategy P p -> worth u b - worth u p = regret u p.
Proof.
move=> [Sb M] Sp. rewrite /regret. case: Rlt_dec => /= t0.
- have [Sr N] := reply_best u t0. have := reply_regret u p t0 Sp. have := M _ Sr. have := N _ Sb. lra.
- have {}t0 : t = 0 by have := temperature_ge0 _ P; lra. have [k [K [[Sk N] E]]] := pure_best u t0.
  rewrite (top_is _ _ _ K) (pure_worth u p k t0 Sp). have := M _ Sk. have := N _ Sb. lra.
Qed.

Lemma regret_ge0 u p : strategy P p -> 0 <= regret u p.
Proof. move=> Sp. have [b B] := best_exists u. rewrite -(best_regret u b p B Sp). have := proj2 B p Sp. lra. Qed.

End Player.
Arguments worth {T} P u p.
Arguments interior {T} P p.
Arguments step {T} P tau q u i.
Arguments normaliser {T} P tau q u.
Arguments weight {T} P tau q u i.
Arguments reply {T} P u i.
Arguments best {T} P u b.
Arguments top {T} f.
Arguments regret {T} P u p.

(** * Smoothness relative to entropy *)

(* Hoeffding's lemma, for numbers that may all be equal. *)
Lemma hoeffding (T : finType) (p h : T -> R) lo d s :
  (forall i, 0 <= p i) -> \rsum_(i : T) p i = 1 -> 0 <= d -> 0 <= s ->
  (forall i, lo <= h i <= lo + d) ->
  ln (\rsum_(i : T) (p i * exp (s * h i))) <= s * (\rsum_(i : T) (p i * h i)) + s ^ 2 * d ^ 2 / 8.
Proof.
move=> p0 p1 d0 s0 H. rewrite -[X in _ <= X]ln_exp. apply: ln_le.
{ have [i Pi] := positive_exists _ _ p0 p1. apply: (rsum_gt0 _ _ i) => [j|].
  - apply: Rmult_le_pos => //. left. exact: exp_pos.
  - apply: Rmult_lt_0_compat => //. exact: exp_pos. }
case: d0 => [d0|E]; first exact: (Averages.hoeffding T p h lo d s (conj p0 p1) d0 s0 H). rewrite -E in H *. right.
have K i : h i = lo by have := H i; lra.
rewrite (rsum_ext _ _ (fun i => p i * exp (s * lo))); last by move=> i; rewrite K.
rewrite (rsum_ext _ (fun i => p i * h i) (fun i => p i * lo)); last by move=> i; rewrite K.
rewrite !rsum_scalr p1 Rmult_1_l. congr exp. field.
Qed.

Section Smoothness.
Variables (S T : finType) (P : prior T) (B : S -> T -> R) (w : R).
Implicit Types (a b : S -> R) (u v : T -> R).
Notation t := (temperature P).
Hypothesis B_w : forall i k j l, B i j - B i l - B k j + B k l <= w.

Definition utilities a j := \rsum_(i : S) (a i * B i j).

(* Utilities whose difference spreads over d: the replies' divergence is at most d^2 / (8 t^2). *)
Lemma reply_spread u v d : 0 < t -> 0 <= d -> (forall j l, (u j - v j) - (u l - v l) <= d) ->
  t * kl (reply P v) (reply P u) <= d ^ 2 / (8 * t).
Proof.
move=> t0 d0 H. have Iv := reply_interior _ P v t0. have [[y0 y1 _] _] := Iv.
have R := reply_regret _ P u (reply P v) t0 (proj1 Iv). rewrite -R reply_worth //.
have Rv := reply_worth _ P v t0. set y := reply P v in y0 y1 Iv R Rv *.
have E : worth P u y = worth P v y + \rsum_(j : T) (y j * (u j - v j)).
{ rewrite /worth. have -> : \rsum_(j : T) (y j * (u j - v j)) = \rsum_(j : T) (y j * u j) - \rsum_(j : T) (y j * v j)
    by rewrite -rsum_sub; apply: rsum_ext => j; ring. ring. }
have Nv := normaliser_pos _ P 0 _ v (reference_interior _ P t0).
have Nu : normaliser P 0 (reference P) u = normaliser P 0 (reference P) v *
  \rsum_(j : T) (y j * exp (/ t * (u j - v j))).
{ rewrite -rsum_scal. apply: rsum_ext => j. rewrite /y /reply /step.
  have -> : weight P 0 (reference P) u j = weight P 0 (reference P) v j * exp (/ t * (u j - v j)).
  { rewrite /weight. case: Rlt_dec => /= _; last ring. rewrite -exp_plus. congr exp. field. lra. }
  field. lra. }
have [j0 _] := positive_exists _ _ y0 y1. have [m M] := top_exists _ (fun j => v j - u j) j0.
have R0 j : u m - v m <= u j - v j <= u m - v m + d by have /= := M j; have := H j m; lra.
have L := hoeffding T y (fun j => u j - v j) (u m - v m) d (/ t) y0 y1 d0 (Rlt_le _ _ (Rinv_0_lt_compat _ t0)) R0.
have X : 0 < \rsum_(j : T) (y j * exp (/ t * (u j - v j))).
{ have [j Pj] := positive_exists _ _ y0 y1. apply: (rsum_gt0 _ _ j) => [l|].
  - apply: Rmult_le_pos => //. left. exact: exp_pos.
  - apply: Rmult_lt_0_compat => //. exact: exp_pos. }
rewrite E Rv Nu ln_mult //. move: L => /(Rmult_le_compat_l t _ _ (Rlt_le _ _ t0)).
have -> : forall s, t * (/ t * s + (/ t) ^ 2 * d ^ 2 / 8) = s + d ^ 2 / (8 * t) by move=> s; field; lra.
lra.
Qed.

(* A difference of distributions, of sum 0, sees a row difference of the matrix only through its oscillation. *)
Lemma utilities_spread a b j l : \rsum_(i : S) a i = 1 -> \rsum_(i : S) b i = 1 ->
  (utilities a j - utilities b j) - (utilities a l - utilities b l) <= w / 2 * \rsum_(i : S) Rabs (a i - b i).
Proof.
move=> a1 b1. case: (pickP (fun _ : S => true)) => [i0 _|N]; last by move: a1; rewrite big_pred0 //; lra.
set c := fun i => B i j - B i l. have [k K] := top_exists _ c i0. set e := c k - w / 2.
have -> : utilities a j - utilities b j - (utilities a l - utilities b l) =
  \rsum_(i : S) ((a i - b i) * (c i - e)) + e * (\rsum_(i : S) a i - \rsum_(i : S) b i).
{ rewrite /utilities -rsum_sub -!rsum_sub -rsum_scal -rsum_add. apply: rsum_ext => i. rewrite /c. ring. }
rewrite a1 b1 Rminus_diag_eq // Rmult_0_r Rplus_0_r -rsum_scal. apply: rsum_le => i.
have W : Rabs (c i - e) <= w / 2 by apply: Rabs_le; have := K i; have := B_w k i j l; rewrite /e /c; lra.
apply: Rle_trans (Rle_abs _) _. rewrite Rabs_mult Rmult_comm.
apply: Rmult_le_compat_r => //. exact: Rabs_pos.
Qed.

Lemma reply_smooth a b : 0 < t -> (forall i, 0 <= a i) -> \rsum_(i : S) a i = 1 -> (forall i, 0 <= b i) ->
  \rsum_(i : S) b i = 1 -> (forall i, a i = 0 -> b i = 0) ->
  t * kl (reply P (utilities a)) (reply P (utilities b)) <= w ^ 2 / (16 * t) * kl b a.
Proof.
move=> t0 a0 a1 b0 b1 ab. have Pin := Pinsker.pinsker b a b0 a0 ab b1 a1. set d := \rsum_(i : S) Rabs _ in Pin.
have [i0 _] := positive_exists _ _ a0 a1. have [j0 _] := positive_exists _ _ (reference_ge0 _ P) (reference_1 _ P).
have w0 : 0 <= w by have := B_w i0 i0 j0 j0; lra.
have d0 : 0 <= w / 2 * d by apply: Rmult_le_pos; [lra|apply: rsum_ge0 => i; exact: Rabs_pos].
apply: Rle_trans (reply_spread _ _ _ t0 d0 (fun j l => utilities_spread b a j l b1 a1)) _.
have -> : (w / 2 * d) ^ 2 / (8 * t) = w ^ 2 / (32 * t) * d ^ 2 by field; lra.
have -> : w ^ 2 / (16 * t) * kl b a = w ^ 2 / (32 * t) * (2 * kl b a) by field; lra.
apply: Rmult_le_compat_l => //. apply: Rmult_le_pos; first exact: pow2_ge_0. left. apply: Rinv_0_lt_compat. lra.
Qed.
End Smoothness.
Arguments utilities {S T} B a j.

(** * The game *)

Section Play.
Variable g : game.
Notation bx := (temperature (row_prior g)).
Notation by_ := (temperature (column_prior g)).
Notation rx := (reference (row_prior g)).
Notation ry := (reference (column_prior g)).
Implicit Types (x u : row_type g -> R) (y v : column_type g -> R) (tau w e : R).

Definition row_utilities y := utilities (fun j i => payoffs g i j) y.
Definition column_utilities x := utilities (fun i j => - payoffs g i j) x.
Definition row_reply y := reply (row_prior g) (row_utilities y).
Definition column_reply x := reply (column_prior g) (column_utilities x).

Definition row_best y x :=
  strategy (row_prior g) x /\ forall u, strategy (row_prior g) u -> payoff g u y <= payoff g x y.
Definition column_best x y :=
  strategy (column_prior g) y /\ forall v, strategy (column_prior g) v -> payoff g x y <= payoff g x v.

Definition exploitability x y e :=
  exists u v, [/\ row_best y u, column_best x v & e = payoff g u y - payoff g x v].

Definition least_payoff x := payoff g x (column_reply x).

Definition interaction w := forall i k j l, payoffs g i j - payoffs g i l - payoffs g k j + payoffs g k l <= w.

Lemma payoff_row x y : payoff g x y = worth (row_prior g) (row_utilities y) x + by_ * kl y ry.
Proof.
rewrite /payoff /worth. congr (_ - _ + _). apply: rsum_ext => i. rewrite -rsum_scal. apply: rsum_ext => j. ring.
Qed.

Lemma payoff_column x y : payoff g x y = - worth (column_prior g) (column_utilities x) y - bx * kl x rx.
Proof.
rewrite /payoff /worth rsum_swap. have -> : \rsum_(j : column_type g) (y j * column_utilities x j) =
  - \rsum_(j : column_type g) \rsum_(i : row_type g) (x i * payoffs g i j * y j); last ring.
have -> : forall s, - s = -1 * s by move=> s; ring.
rewrite -rsum_scal. apply: rsum_ext => j. rewrite -!rsum_scal. apply: rsum_ext => i. ring.
Qed.

Lemma payoff_ext x x' y y' : (forall i, x i = x' i) -> (forall j, y j = y' j) -> payoff g x y = payoff g x' y'.
Proof.
move=> Ex Ey. rewrite /payoff (kl_ext _ x x' rx rx Ex) // (kl_ext _ y y' ry ry Ey) //. congr (_ - _ + _).
apply: rsum_ext => i. apply: rsum_ext => j. by rewrite Ex Ey.
Qed.

Lemma row_best_worth y x : row_best y x <-> best (row_prior g) (row_utilities y) x.
Proof. split=> -[Sx M]; split=> // u Su; have := M u Su; rewrite !payoff_row; lra. Qed.

Lemma column_best_worth x y : column_best x y <-> best (column_prior g) (column_utilities x) y.
Proof. split=> -[Sy M]; split=> // v Sv; have := M v Sv; rewrite !payoff_column; lra. Qed.

Lemma row_best_exists y : exists x, row_best y x.
Proof. have [x B] := best_exists _ (row_prior g) (row_utilities y). exists x. exact/row_best_worth. Qed.

Lemma column_best_exists x : exists y, column_best x y.
Proof. have [y B] := best_exists _ (column_prior g) (column_utilities x). exists y. exact/column_best_worth. Qed.

(* Proposition 7.1. *)
Lemma row_regret x y u : strategy (row_prior g) x -> row_best y u ->
  payoff g u y - payoff g x y = regret (row_prior g) (row_utilities y) x.
Proof. move=> Sx /row_best_worth B. rewrite !payoff_row -(best_regret _ _ _ u) //. ring. Qed.

Lemma column_regret x y v : strategy (column_prior g) y -> column_best x v ->
  payoff g x y - payoff g x v = regret (column_prior g) (column_utilities x) y.
Proof. move=> Sy /column_best_worth B. rewrite !payoff_column -(best_regret _ _ _ v) //. ring. Qed.

Theorem gap_regrets x y e : strategy (row_prior g) x -> strategy (column_prior g) y -> exploitability x y e <->
  e = regret (row_prior g) (row_utilities y) x + regret (column_prior g) (column_utilities x) y.
Proof.
move=> Sx Sy. split=> [[u [v [Bu Bv ->]]]|->].
- rewrite -(row_regret x y u) // -(column_regret x y v) //. ring.
- have [u Bu] := row_best_exists y. have [v Bv] := column_best_exists x. exists u, v. split=> //.
  rewrite -(row_regret x y u) // -(column_regret x y v) //. ring.
Qed.

(* With a temperature. *)
Lemma row_soft x y u : strategy (row_prior g) x -> row_best y u -> 0 < bx ->
  (forall i, u i = row_reply y i) /\ payoff g u y - payoff g x y = bx * kl x (row_reply y).
Proof.
move=> Sx B t0. split; first by apply: best_unique => //; exact/row_best_worth.
rewrite (row_regret x y u) // /regret. by case: Rlt_dec.
Qed.

Lemma column_soft x y v : strategy (column_prior g) y -> column_best x v -> 0 < by_ ->
  (forall j, v j = column_reply x j) /\ payoff g x y - payoff g x v = by_ * kl y (column_reply x).
Proof.
move=> Sy B t0. split; first by apply: best_unique => //; exact/column_best_worth.
rewrite (column_regret x y v) // /regret. by case: Rlt_dec.
Qed.

Section Columns.
Hypothesis by_pos : 0 < by_.

Lemma column_reply_interior x : interior (column_prior g) (column_reply x).
Proof. exact: reply_interior. Qed.

Lemma column_reply_best x : column_best x (column_reply x).
Proof. apply/column_best_worth. exact: reply_best. Qed.

Lemma column_excess x y : strategy (column_prior g) y ->
  payoff g x y = payoff g x (column_reply x) + by_ * kl y (column_reply x).
Proof. move=> Sy. have := proj2 (column_soft x y _ Sy (column_reply_best x) by_pos). lra. Qed.

(* Proposition 7.2. *)
Theorem smooth w x u : interaction w -> strategy (row_prior g) x -> strategy (row_prior g) u ->
  (forall i, x i = 0 -> u i = 0) ->
  payoff g u (column_reply x) - payoff g u (column_reply u) = by_ * kl (column_reply x) (column_reply u) /\
  0 <= by_ * kl (column_reply x) (column_reply u) <= w ^ 2 / (16 * by_) * kl u x.
Proof.
move=> W [x0 x1 _] [u0 u1 _] xu. split; first by rewrite (column_excess u _ (proj1 (column_reply_interior x))); ring.
split; first by apply: Rmult_le_pos; [lra|apply: divergence_ge0; [exact: (proj1 (column_reply_interior x))|
  exact: column_reply_interior]].
apply: reply_smooth => // i k j l. have := W k i j l. lra.
Qed.

Lemma guarantee_le x v : strategy (column_prior g) v -> payoff g x (column_reply x) <= payoff g x v.
Proof. exact: (proj2 (column_reply_best x)). Qed.

(** * Theorem D *)

Section Steps.
Variables (tau w : R).
Hypotheses (tau_pos : 0 < tau) (Hw : interaction w) (Hc : w ^ 2 / (16 * by_) <= tau).

Definition advance x := step (row_prior g) tau x (row_utilities (column_reply x)).
Fixpoint run x n := if n is m.+1 then advance (run x m) else x.

Lemma bx_ge0 : 0 <= bx.
Proof. exact: temperature_ge0. Qed.

Lemma run_interior x n : interior (row_prior g) x -> interior (row_prior g) (run x n).
Proof. move=> I. elim: n => [|n IH] //. exact: step_interior. Qed.

Lemma smooth_step x u : interior (row_prior g) x -> strategy (row_prior g) u ->
  payoff g u (column_reply x) - payoff g u (column_reply u) <= tau * kl u x.
Proof.
move=> Ix Su. have [-> [_ H]] := smooth w x u Hw (proj1 Ix) Su (support _ _ _ _ Su Ix). apply: Rle_trans H _.
apply: Rmult_le_compat_r => //. exact: divergence_ge0 Su Ix.
Qed.

(* The step is the one maximiser of F(u, y) - tau KL(u || x), and what every other u loses. *)
Lemma proximal x u : interior (row_prior g) x -> strategy (row_prior g) u ->
  payoff g u (column_reply x) - tau * kl u x =
  payoff g (advance x) (column_reply x) - tau * kl (advance x) x - (tau + bx) * kl u (advance x).
Proof.
move=> Ix Su. have B := bx_ge0. rewrite !(payoff_row _ (column_reply x)).
have := step_maximal _ (row_prior g) tau x (row_utilities (column_reply x)) u ltac:(lra) Ix Su.
rewrite -/(advance x). lra.
Qed.

(* What a step earns, against any strategy u. *)
Lemma balance x u : interior (row_prior g) x -> strategy (row_prior g) u ->
  payoff g u (column_reply x) - payoff g (advance x) (column_reply (advance x)) <=
  tau * kl u x - (tau + bx) * kl u (advance x).
Proof.
move=> Ix Su. have I1 : interior (row_prior g) (advance x) by exact: step_interior.
have := proximal x u Ix Su. have := smooth_step x _ Ix (proj1 I1). lra.
Qed.

Lemma advance_increases x : interior (row_prior g) x ->
  payoff g x (column_reply x) <= payoff g (advance x) (column_reply (advance x)).
Proof.
move=> Ix. have := balance x x Ix (proj1 Ix). have I1 : interior (row_prior g) (advance x) by exact: step_interior.
have [[x0 _ _] _] := Ix. rewrite kl_self //. have B := bx_ge0.
have := Rmult_le_pos (tau + bx) _ ltac:(lra) (divergence_ge0 _ _ _ _ (proj1 Ix) I1). lra.
Qed.

(** * Averages of the replies *)

Definition growth := 1 + bx / tau.
Definition average x n j := (\rsum_(s : 'I_n) (growth ^ s * column_reply (run x s) j)) / Damped.geometric growth n.

Lemma growth_1 : 1 <= growth.
Proof. have := Rmult_le_pos _ _ bx_ge0 (Rlt_le _ _ (Rinv_0_lt_compat _ tau_pos)). rewrite /growth /Rdiv. lra. Qed.

Lemma growth_pow n : 1 <= growth ^ n.
Proof. apply: pow_R1_Rle. exact: growth_1. Qed.

Lemma geometric_sum n : Damped.geometric growth n = \rsum_(s : 'I_n) (growth ^ s).
Proof. elim: n => [|n IH]; first by rewrite big_ord0. by rewrite big_ord_recr /= IH. Qed.

Lemma geometric_ge n : INR n <= Damped.geometric growth n.
Proof. elim: n => [|n IH]; first by right. rewrite S_INR /=. have := growth_pow n. lra. Qed.

Lemma geometric_pos n : 0 < Damped.geometric growth n.+1.
Proof. apply: Rlt_le_trans (geometric_ge _). exact: lt_0_INR (Nat.lt_0_succ n). Qed.

Lemma average_interior x n : interior (column_prior g) (average x n.+1).
Proof.
have G := geometric_pos n. have W s : 0 < growth ^ s by have := growth_pow s; lra.
have I s := column_reply_interior (run x s). have y0 s j : 0 <= column_reply (run x s) j by have [[H _ _] _] := I s.
have T j : 0 <= \rsum_(s : 'I_n.+1) (growth ^ s * column_reply (run x s) j).
{ apply: rsum_ge0 => s. apply: Rmult_le_pos => //. left. exact: W. }
split; first split.
- move=> j. apply: Rmult_le_pos => //. left. exact: Rinv_0_lt_compat.
- rewrite rsum_scalr rsum_swap (rsum_ext _ _ (fun s : 'I_n.+1 => growth ^ s)).
  + rewrite -geometric_sum. apply: Rinv_r. lra.
  + move=> s. rewrite rsum_scal. have [[_ -> _] _] := I s. ring.
- move=> t0 j H. rewrite /average big1 ?/Rdiv ?Rmult_0_l // => s _. have [[_ _ Z] _] := I s. rewrite Z //. ring.
- move=> j H. apply: Rdiv_lt_0_compat => //. apply: (rsum_gt0 _ _ ord0) => [s|].
  + apply: Rmult_le_pos => //. left. exact: W.
  + apply: Rmult_lt_0_compat => //. exact: (proj2 (I _)).
Qed.

Lemma payoff_tangent u y v : strategy (column_prior g) v -> interior (column_prior g) y ->
  payoff g u v = \rsum_(j : column_type g) (v j * (by_ * ln (y j / ry j) - column_utilities u j)) - bx * kl u rx
    + by_ * kl v y.
Proof.
move=> Sv Iy. rewrite payoff_column /worth.
suff : by_ * kl v ry - by_ * kl v y - \rsum_(j : column_type g) (v j * column_utilities u j) =
  \rsum_(j : column_type g) (v j * (by_ * ln (y j / ry j) - column_utilities u j)) by lra.
rewrite /kl -!rsum_scal -!rsum_sub. apply: rsum_ext => j. case: (live _ _ v y j Sv Iy) => [->|[A B C]]; first ring.
have R := C by_pos. rewrite !ln_div //. ring.
Qed.

(* Jensen's inequality: the payoff is convex in y. *)
Lemma average_payoff x u n : Damped.geometric growth n.+1 * payoff g u (average x n.+1) <=
  \rsum_(s : 'I_n.+1) (growth ^ s * payoff g u (column_reply (run x s))).
Proof.
have G := geometric_pos n. have Ib := average_interior x n. have [[b0 _ _] _] := Ib.
have I s := column_reply_interior (run x s).
have E j : Damped.geometric growth n.+1 * average x n.+1 j = \rsum_(s : 'I_n.+1) (growth ^ s * column_reply (run x s) j)
  by rewrite /average; field; lra.
move: (average x n.+1) Ib b0 E => y Iy y0 E.
rewrite (payoff_tangent u y y (proj1 Iy) Iy) kl_self // Rmult_0_r Rplus_0_r.
pose c j := by_ * ln (y j / ry j) - column_utilities u j.
have -> : Damped.geometric growth n.+1 * (\rsum_(j : column_type g) (y j * c j) - bx * kl u rx) =
  \rsum_(s : 'I_n.+1) (growth ^ s * (\rsum_(j : column_type g) (column_reply (run x s) j * c j) - bx * kl u rx)).
{ rewrite Rmult_minus_distr_l -rsum_scal.
  rewrite (rsum_ext _ _ (fun j => \rsum_(s : 'I_n.+1) (growth ^ s * column_reply (run x s) j * c j))).
  - rewrite -rsum_swap geometric_sum -rsum_scalr -rsum_sub. apply: rsum_ext => s.
    rewrite Rmult_minus_distr_l -rsum_scal. congr (_ - _). apply: rsum_ext => j. ring.
  - move=> j. rewrite rsum_scalr -E. ring. }
apply: rsum_le => s. apply: Rmult_le_compat_l; first by have := growth_pow s; lra.
rewrite (payoff_tangent u y _ (proj1 (I s)) Iy).
have := Rmult_le_pos _ _ (Rlt_le _ _ by_pos) (divergence_ge0 _ _ _ _ (proj1 (I s)) Iy). rewrite /c. lra.
Qed.

(* The weights growth^s make the balance telescope. *)
Lemma telescope x u n : interior (row_prior g) x -> strategy (row_prior g) u ->
  \rsum_(s : 'I_n) (growth ^ s * payoff g u (column_reply (run x s)))
  - Damped.geometric growth n * payoff g (run x n) (column_reply (run x n)) <=
  tau * kl u x - tau * growth ^ n * kl u (run x n).
Proof.
move=> Ix Su. elim: n => [|n IH]; first by rewrite big_ord0 /=; lra. rewrite big_ord_recr /=.
have In := run_interior x n Ix. have B := balance _ u In Su. have M := advance_increases _ In.
have W := growth_pow n. have G := Rle_trans _ _ _ (pos_INR n) (geometric_ge n).
have E : tau * (growth * growth ^ n) = growth ^ n * (tau + bx) by rewrite /growth; field; lra.
rewrite E. move: B => /(Rmult_le_compat_l (growth ^ n) _ _ ltac:(lra)). have := Rmult_le_compat_l _ _ _ G M.
move: IH. set S := \rsum_(s : 'I_n) _. set k := growth ^ n. lra.
Qed.

Lemma average_bound x u n : interior (row_prior g) x -> strategy (row_prior g) u ->
  Damped.geometric growth n * (payoff g u (average x n) - payoff g (run x n) (column_reply (run x n))) <= tau * kl u x.
Proof.
move=> Ix Su. have D0 := divergence_ge0 _ _ _ _ Su Ix. have B := Rmult_le_pos _ _ (Rlt_le _ _ tau_pos) D0.
case: n => [|n]; first by rewrite Rmult_0_l. have In := run_interior x n.+1 Ix. have := telescope x u n.+1 Ix Su.
have := average_payoff x u n. have := divergence_ge0 _ _ _ _ Su In => D. have W := growth_pow n.+1.
have := Rmult_le_pos _ _ (Rmult_le_pos tau (growth ^ n.+1) ltac:(lra) ltac:(lra)) D. lra.
Qed.

Lemma rates a b n : Damped.geometric growth n * a <= tau * b ->
  (growth ^ n - 1) * a <= bx * b /\ (bx = 0 -> INR n * a <= tau * b).
Proof.
move=> H. split=> [|E].
- rewrite -Damped.geometric_closed. have -> : growth - 1 = bx / tau by rewrite /growth; ring.
  have -> : bx / tau * Damped.geometric growth n * a = bx / tau * (Damped.geometric growth n * a) by ring.
  have -> : bx * b = bx / tau * (tau * b) by field; lra. apply: Rmult_le_compat_l => //.
  apply: Rmult_le_pos; [exact: bx_ge0|left; exact: Rinv_0_lt_compat].
- have W : growth = 1 by rewrite /growth E; field; lra. by rewrite W Damped.geometric_1 in H.
Qed.

(* Corollary D.2. *)
Theorem gap_bound x k n e : interior (row_prior g) x -> (forall u, strategy (row_prior g) u -> kl u x <= k) ->
  exploitability (run x n) (average x n) e ->
  (growth ^ n - 1) * e <= bx * k /\ (bx = 0 -> INR n * e <= tau * k).
Proof.
move=> Ix K [u [v [[Su _] [Sv Mv] ->]]]. apply: rates. have := average_bound x u n Ix Su.
have := Mv _ (proj1 (column_reply_interior (run x n))). have := Rmult_le_compat_l _ _ _ (Rlt_le _ _ tau_pos) (K u Su).
have G := Rle_trans _ _ _ (pos_INR n) (geometric_ge n). have := guarantee_le (run x n) v Sv => A B C.
have -> : payoff g (run x n) v = payoff g (run x n) (column_reply (run x n)) by lra. lra.
Qed.

(** * Convergence to an equilibrium *)

Section Equilibrium.
Variables (xs : row_type g -> R) (ys : column_type g -> R).
Hypothesis N : nash g xs ys.

Lemma nash_column j : ys j = column_reply xs j.
Proof.
have [_ Sy _ M] := N. apply: best_unique => //. apply/column_best_worth. by split.
Qed.

Lemma nash_row u : strategy (row_prior g) u -> payoff g u ys <= payoff g xs ys - bx * kl u xs.
Proof.
move=> Su. have [Sx _ M _] := N. have [t0|E] := bx_ge0; last by rewrite -E; have := M u Su; lra.
have [E R] := row_soft u ys xs Su (conj Sx M) t0.
rewrite (kl_ext _ u u xs (row_reply ys)) //. lra.
Qed.

Lemma nash_value u : strategy (row_prior g) u ->
  payoff g u (column_reply u) + bx * kl u xs + by_ * kl ys (column_reply u) <= payoff g xs ys.
Proof. move=> Su. have [_ Sy _ _] := N. have := column_excess u ys Sy. have := nash_row u Su. lra. Qed.

(* Theorem D, one round. *)
Theorem energy x : interior (row_prior g) x ->
  (tau + bx) * kl xs (advance x) + bx * kl (advance x) xs + by_ * kl ys (column_reply (advance x))
    + by_ * kl (column_reply x) ys <= tau * kl xs x.
Proof.
move=> Ix. have [Sx Sy M My] := N. have I1 : interior (row_prior g) (advance x) by exact: step_interior.
have := balance x xs Ix Sx. have := nash_value _ (proj1 I1).
rewrite (column_excess xs (column_reply x)); last exact: (proj1 (column_reply_interior x)).
rewrite (kl_ext _ (column_reply x) (column_reply x) ys (column_reply xs)) //; last exact: nash_column.
rewrite -(payoff_ext xs xs ys (column_reply xs)) //; last exact: nash_column. lra.
Qed.

Lemma nash_row_ge0 u : strategy (row_prior g) u -> 0 <= bx * kl u xs.
Proof.
move=> Su. have [Sx _ M _] := N. have [t0|<-] := bx_ge0; last by right; ring. apply: Rmult_le_pos; first exact: bx_ge0.
have [E _] := row_soft u ys xs Su (conj Sx M) t0.
rewrite (kl_ext _ u u xs (row_reply ys)) //. apply: divergence_ge0 Su _. exact: reply_interior.
Qed.

Lemma nash_column_ge0 v : strategy (column_prior g) v -> 0 <= by_ * kl v ys.
Proof.
move=> Sv. rewrite (kl_ext _ v v ys (column_reply xs)) //; last exact: nash_column.
apply: Rmult_le_pos; first lra. exact: divergence_ge0 Sv (column_reply_interior xs).
Qed.

(* Corollary D.1. *)
Theorem linear x n : interior (row_prior g) x -> growth ^ n * kl xs (run x n) <= kl xs x.
Proof.
move=> Ix. have [Sx Sy _ _] := N. elim: n => [|n IH]; first by rewrite /=; lra. have In := run_interior x n Ix.
have I1 := run_interior x n.+1 Ix. have W := growth_pow n. have E := energy _ In. rewrite -/(run x n.+1) in E.
have A := nash_row_ge0 _ (proj1 I1). have B := nash_column_ge0 _ (proj1 (column_reply_interior (run x n))).
have := Rmult_le_pos _ _ (Rlt_le _ _ by_pos) (divergence_ge0 _ _ _ _ Sy (column_reply_interior (run x n.+1))) => C.
apply: Rle_trans IH. rewrite [growth ^ _.+1]/=. have -> : growth * growth ^ n = growth ^ n * growth by ring.
rewrite Rmult_assoc. apply: Rmult_le_compat_l; first lra. apply: (Rmult_le_reg_l tau) => //.
have -> : tau * (growth * kl xs (run x n.+1)) = (tau + bx) * kl xs (run x n.+1) by rewrite /growth; field; lra.
lra.
Qed.

Theorem value_bound x n : interior (row_prior g) x ->
  by_ * kl ys (column_reply (run x n)) <= payoff g xs ys - payoff g (run x n) (column_reply (run x n)) /\
  (growth ^ n - 1) * (payoff g xs ys - payoff g (run x n) (column_reply (run x n))) <= bx * kl xs x /\
  (bx = 0 -> INR n * (payoff g xs ys - payoff g (run x n) (column_reply (run x n))) <= tau * kl xs x).
Proof.
move=> Ix. have [Sx Sy _ My] := N. have Sn := proj1 (run_interior x n Ix). split.
- have := nash_value _ Sn. have := nash_row_ge0 _ Sn. lra.
- apply: rates. case: n Sn => [|n] _.
  + rewrite /= Rmult_0_l. apply: Rmult_le_pos; [lra|exact: divergence_ge0 Sx Ix].
  + apply: Rle_trans (average_bound x xs n.+1 Ix Sx). have G := geometric_pos n.
    apply: Rmult_le_compat_l; first lra. have := My _ (proj1 (average_interior x n)). lra.
Qed.

(* Corollary D.3. *)
Theorem last_pair x n u : interior (row_prior g) x -> 0 < bx -> row_best (column_reply (run x n)) u ->
  payoff g u (column_reply (run x n)) - payoff g xs ys <=
  (1 + w ^ 2 / (16 * bx * by_)) * (w ^ 2 / (16 * by_)) * kl xs (run x n).
Proof.
move=> Ix bx_pos Hu. have [Sx Sy M My] := N. have In := run_interior x n Ix. move: (run x n) In Hu => z Iz Hu.
have Iy := column_reply_interior z. have Iys := column_reply_interior xs. set y := column_reply z in Iy Hu *.
have [_ R] := row_soft xs y u Sx Hu bx_pos.
have Ex i : xs i = row_reply ys i by exact: (proj1 (row_soft xs ys xs Sx (conj Sx M) bx_pos)).
have C := column_excess xs y (proj1 Iy).
rewrite -(payoff_ext xs xs ys (column_reply xs)) // in C; last exact: nash_column.
have Ey : kl y (column_reply xs) = kl y ys by apply: kl_ext => // j; rewrite nash_column.
have [y0 y1 _] := proj1 Iy. have [s0 s1 _] := Sy.
have Z j : ys j = 0 -> y j = 0 by rewrite nash_column; exact: support (proj1 Iy) Iys j.
have W i k j l : payoffs g j i - payoffs g l i - payoffs g j k + payoffs g l k <= w by have := Hw j l i k; lra.
have S := reply_smooth _ _ (row_prior g) (fun j i => payoffs g i j) w W ys y bx_pos s0 s1 y0 y1 Z.
have [_ [_ L]] := smooth w z xs Hw (proj1 Iz) Sx (support _ _ _ _ Sx Iz). rewrite -/y Ey in L.
rewrite -/(row_reply y) -/(row_reply ys) in S.
rewrite -(kl_ext _ xs (row_reply ys) (row_reply y) (row_reply y)) // in S.
have Q : 0 <= w ^ 2 / (16 * bx * by_).
{ apply: Rmult_le_pos; first exact: pow2_ge_0. left. apply: Rinv_0_lt_compat. apply: Rmult_lt_0_compat; lra. }
have K : w ^ 2 / (16 * bx) * kl y ys = w ^ 2 / (16 * bx * by_) * (by_ * kl y ys) by field; lra.
have := Rmult_le_compat_l _ _ _ Q L. rewrite Ey in C. rewrite K in S. move: S C L.
set q := w ^ 2 / (16 * bx * by_). set l := w ^ 2 / (16 * by_). lra.
Qed.

(* The equilibria are the maximisers of G with their replies; y and the value are unique, and x if bx > 0. *)
Lemma maximiser_nash x : strategy (row_prior g) x -> payoff g xs ys <= payoff g x (column_reply x) ->
  (forall j, ys j = column_reply x j) /\ nash g x (column_reply x).
Proof.
move=> Sx H. have [Ss Sy M _] := N. have V := nash_value x Sx. have A := nash_row_ge0 x Sx.
have D := divergence_ge0 _ _ _ _ Sy (column_reply_interior x).
have E : forall j, ys j = column_reply x j.
{ apply: divergence_eq0 Sy (column_reply_interior x) _. apply: Rle_antisym D. apply: (Rmult_le_reg_l by_) => //. lra. }
split=> //. split=> //; [exact: (proj1 (column_reply_interior x))| |exact: (proj2 (column_reply_best x))].
move=> u Su. have := M u Su. rewrite (payoff_ext u u ys (column_reply x)) //. lra.
Qed.
End Equilibrium.
End Steps.

Theorem equilibria x y x' y' : nash g x y -> (nash g x' y' <->
  [/\ strategy (row_prior g) x', forall u, strategy (row_prior g) u ->
      payoff g u (column_reply u) <= payoff g x' (column_reply x')
    & forall j, y' j = column_reply x' j]).
Proof.
move=> N. have [Sx Sy _ _] := N. have E := nash_column x y N. split=> [N'|[Sx' M E']].
- have [Sx' _ _ _] := N'. have E' := nash_column x' y' N'. split=> // u Su. have := nash_value x' y' N' u Su.
  have := nash_row_ge0 x' y' N' u Su. rewrite (payoff_ext x' x' y' (column_reply x')) //.
  have [_ Sy' _ _] := N'.
  have := Rmult_le_pos _ _ (Rlt_le _ _ by_pos) (divergence_ge0 _ _ _ _ Sy' (column_reply_interior u)). lra.
- have [|_ [A B C D]] := maximiser_nash x y N x' Sx'; first by rewrite (payoff_ext x x y (column_reply x)) //; exact: M.
  have P u : payoff g u y' = payoff g u (column_reply x') by exact: payoff_ext.
  split=> //; last by move=> v Sv; rewrite P; exact: D.
  + have [b0 b1 bZ] := B. split=> [j||t0 j H]; rewrite ?E' //; last exact: bZ. by rewrite (rsum_ext _ _ _ E').
  + move=> u Su. rewrite !P. exact: C.
Qed.

Theorem equilibrium_unique x y x' y' : nash g x y -> nash g x' y' ->
  [/\ forall j, y' j = y j, payoff g x' y' = payoff g x y & 0 < bx -> forall i, x' i = x i].
Proof.
move=> N N'. have [Sx' M' E'] := proj1 (equilibria x y x' y' N) N'. have [Sx M E] := proj1 (equilibria x y x y N) N.
have V : payoff g x' (column_reply x') = payoff g x (column_reply x) by apply: Rle_antisym; [exact: M|exact: M'].
have [|Y _] := maximiser_nash x y N x' Sx'; first by rewrite V (payoff_ext x x y (column_reply x)) //; right.
have {}Y j : y' j = y j by rewrite Y.
split=> // [|bx_pos i]; first by rewrite (payoff_ext x' x' y' (column_reply x')) // V; exact: payoff_ext.
have [_ _ B _] := N. have [_ _ B' _] := N'. rewrite (proj1 (row_soft x y x Sx (conj Sx B) bx_pos)).
apply: (proj1 (row_soft x y x' Sx _ bx_pos)). split=> // u Su.
rewrite (payoff_ext u u y y') // (payoff_ext x' x' y y') //. exact: B'.
Qed.
End Columns.
End Play.

(** * Limits *)

Lemma cv_subsequence (v : nat -> R) l psi : (forall n, (n <= psi n)%nat) -> Un_cv v l -> Un_cv (fun n => v (psi n)) l.
Proof. move=> H C e He. have [m Hm] := C e He. exists m => n Hn. apply: Hm. have /leP := H n. lia. Qed.

(* Comparisons of reals are decided, so that the subsequence is found by searching: no choice is needed. *)
Lemma subsequence (v : nat -> R) : (forall n, 0 <= v n <= 1) ->
  exists psi l, (forall n, (n <= psi n)%nat) /\ Un_cv (fun n => v (psi n)) l.
Proof.
move=> H. have [l L] := Bolzano_Weierstrass v _ (compact_P3 0 1) H.
have ex n : exists p, (n <= p)%nat /\ Rabs (v p - l) < / (INR n + 1).
{ have [p [A B]] := L (disc l (RinvN n)) n (ex_intro _ (RinvN n) (fun _ h => h)). exists p. by split=> //; apply/leP. }
have dec n p : {(n <= p)%nat /\ Rabs (v p - l) < / (INR n + 1)} + {~ ((n <= p)%nat /\ Rabs (v p - l) < / (INR n + 1))}.
{ case: (boolP (n <= p)%nat) => [A|A]; last by right=> -[].
  by case: (Rlt_dec (Rabs (v p - l)) (/ (INR n + 1))) => B; [left|right=> -[]]. }
exists (fun n => proj1_sig (epsilon_smallest _ (dec n) (ex n))), l.
have K n := proj1 (proj2_sig (epsilon_smallest _ (dec n) (ex n))). split=> [n|e He]; first exact: (proj1 (K n)).
have [m Hm] := @RinvN_cv e He. exists m => n Hn. have := Hm n Hn. rewrite /R_dist Rminus_0_r.
have := proj2 (K n). have := Rle_abs (/ (INR n + 1)). rewrite /RinvN /=. lra.
Qed.

Lemma subsequences (T : finType) (v : nat -> T -> R) : (forall n i, 0 <= v n i <= 1) ->
  exists psi l, (forall n, (n <= psi n)%nat) /\ forall i, Un_cv (fun n => v (psi n) i) (l i).
Proof.
move=> H. suff [psi [l [A B]]] : exists psi (l : T -> R), (forall n, (n <= psi n)%nat) /\
  forall i, i \in enum T -> Un_cv (fun n => v (psi n) i) (l i)
  by exists psi, l; split=> // i; apply: B; rewrite mem_enum.
elim: (enum T) => [|k s [psi [l [A B]]]]; first by exists (fun n => n), (fun _ => 0).
have [chi [m [A' B']]] := subsequence (fun n => v (psi n) k) (fun n => H (psi n) k).
exists (fun n => psi (chi n)), (fun i => if i == k then m else l i). split=> [n|i].
- exact: leq_trans (A' n) (A (chi n)).
- rewrite inE. case: eqP => [-> //|_ /= /B]. exact: cv_subsequence.
Qed.

Lemma ln_square z : 0 < z -> ln z ^ 2 <= 4 * (z + 2 + / z).
Proof.
move=> z0. have s0 := sqrt_lt_R0 z z0. have E := sqrt_sqrt z (Rlt_le _ _ z0). move: (sqrt z) s0 E => s s0 <-.
have i0 := Rinv_0_lt_compat _ s0. have A := ln_le_sub1 s s0. have B := ln_le_sub1 _ i0. rewrite ln_Rinv // in B.
rewrite ln_mult //. have -> : 4 * (s * s + 2 + / (s * s)) = (2 * (s + / s)) ^ 2 by field; lra.
apply: pow_maj_Rabs. apply: Rabs_le. lra.
Qed.

(* z ln (z / r) is continuous, at 0 too. *)
Lemma entropy_cv (v : nat -> R) l r : (forall n, 0 <= v n) -> 0 < r -> Un_cv v l ->
  Un_cv (fun n => v n * ln (v n / r)) (l * ln (l / r)).
Proof.
move=> v0 r0 C. have [l0|E] := Existence.cv_ge 0 v l v0 C.
- apply: CV_mult => //. apply: Existence.cv_ln; first exact: Rdiv_lt_0_compat.
  apply: CV_mult => //. exact: Existence.cv_const.
- rewrite -E Rmult_0_l. rewrite -E in C.
  apply: (Existence.cv_square _ (fun n => v n * (v n * v n * (4 / r) + v n * 8 + 4 * r))) => [n|].
  + case: (v0 n) => [P|<-]; last lra. have /(Rmult_le_compat_l (v n ^ 2)) := ln_square _ (Rdiv_lt_0_compat _ _ P r0).
    have -> : v n ^ 2 * (4 * (v n / r + 2 + / (v n / r))) = v n * (v n * v n * (4 / r) + v n * 8 + 4 * r) by field; lra.
    rewrite Rminus_0_r Rpow_mult_distr. apply. exact: pow2_ge_0.
  + rewrite -(Rmult_0_l (0 * 0 * (4 / r) + 0 * 8 + 4 * r)). apply: CV_mult => //. apply: CV_plus.
    * apply: CV_plus; apply: CV_mult; try exact: Existence.cv_const; [exact: CV_mult|by []].
    * exact: Existence.cv_const.
Qed.

Section Limits.
Variables (T : finType) (P : prior T) (p : nat -> T -> R) (l : T -> R).
Hypotheses (Sp : forall n, strategy P (p n)) (C : forall i, Un_cv (fun n => p n i) (l i)).

Lemma strategy_cv : strategy P l.
Proof.
split=> [i||t0 i H].
- apply: Existence.cv_ge (C i) => n. by have [p0 _ _] := Sp n.
- apply: (UL_sequence (fun n => \rsum_(i : T) p n i)); first exact: Existence.cv_sum.
  apply: (Existence.cv_ext (fun _ => 1)) => [n|]; last exact: Existence.cv_const. by have [_ -> _] := Sp n.
- apply: (UL_sequence _ _ _ (C i)). apply: (Existence.cv_ext (fun _ => 0)) => [n|]; last exact: Existence.cv_const.
  have [_ _ Z] := Sp n. by rewrite Z.
Qed.

Lemma cost_cv : Un_cv (fun n => temperature P * kl (p n) (reference P)) (temperature P * kl l (reference P)).
Proof.
have [t0|<-] := temperature_ge0 _ P; last first.
{ rewrite Rmult_0_l. apply: (Existence.cv_ext (fun _ => 0)) => [n|]; [ring|exact: Existence.cv_const]. }
apply: Existence.cv_scal. apply: Existence.cv_sum => i. case: (reference_ge0 _ P i) => [r0|E].
- apply: entropy_cv => // n. by have [p0 _ _] := Sp n.
- have [_ _ Z] := strategy_cv. rewrite Z // Rmult_0_l. apply: (Existence.cv_ext (fun _ => 0)) => [n|].
  + have [_ _ Zn] := Sp n. rewrite Zn //. ring.
  + exact: Existence.cv_const.
Qed.
End Limits.

Lemma payoff_cv g x y xl yl : (forall n, strategy (row_prior g) (x n)) -> (forall n, strategy (column_prior g) (y n)) ->
  (forall i, Un_cv (fun n => x n i) (xl i)) -> (forall j, Un_cv (fun n => y n j) (yl j)) ->
  Un_cv (fun n => payoff g (x n) (y n)) (payoff g xl yl).
Proof.
move=> Sx Sy Cx Cy. apply: CV_plus; last exact: cost_cv. apply: CV_minus; last exact: cost_cv.
apply: Existence.cv_sum => i. apply: Existence.cv_sum => j. apply: CV_mult => //. apply: CV_mult => //.
exact: Existence.cv_const.
Qed.

(** * Existence of an equilibrium *)

Lemma positive_floor (T : finType) (q : T -> R) : exists m, 0 < m /\ forall i, 0 < q i -> m <= q i.
Proof.
suff [m [m0 H]] : exists m, 0 < m /\ forall i, i \in enum T -> 0 < q i -> m <= q i
  by exists m; split=> // i; apply: H; rewrite mem_enum.
elim: (enum T) => [|k s [m [m0 H]]]; first by exists 1; split=> //; lra.
exists (if Rlt_dec 0 (q k) then Rmin m (q k) else m). case: Rlt_dec => /= K.
- split=> [|i]; first exact: Rmin_pos. rewrite inE => /orP [/eqP -> _|/H L Q]; first exact: Rmin_r.
  exact: Rle_trans (Rmin_l _ _) (L Q).
- split=> // i. by rewrite inE => /orP [/eqP ->|/H].
Qed.

Lemma uniform_strategy (T : finType) (P : prior T) : (forall i, 0 < reference P i) \/ temperature P = 0 ->
  interior P (fun _ => / INR #|T|).
Proof.
have [i0 _] := positive_exists _ _ (reference_ge0 _ P) (reference_1 _ P).
have n0 : 0 < INR #|T| by apply: lt_0_INR; apply/ltP; apply/card_gt0P; exists i0.
have u0 := Rinv_0_lt_compat _ n0. move=> H. split=> //. split=> [_||t0 i E]; first lra.
- rewrite rsum_const. apply: Rinv_r. lra.
- case: H => [H|]; last lra. have := H i. lra.
Qed.

Lemma interior_exists (T : finType) (P : prior T) : exists q, interior P q.
Proof.
have [t0|E] := temperature_ge0 _ P; first by exists (reference P); exact: reference_interior.
by eexists; apply: uniform_strategy; right.
Qed.

Lemma interaction_exists g : exists w, interaction g w.
Proof.
exists (4 * \rsum_(i : row_type g) \rsum_(j : column_type g) Rabs (payoffs g i j)) => i k j l.
have H a b : Rabs (payoffs g a b) <= \rsum_(i : row_type g) \rsum_(j : column_type g) Rabs (payoffs g i j).
{ apply: Rle_trans (rsum_single_le _ (fun i => \rsum_(j : column_type g) Rabs (payoffs g i j)) a _).
  - apply: (rsum_single_le _ (fun j => Rabs (payoffs g a j))) => c. exact: Rabs_pos.
  - move=> c. apply: rsum_ge0 => d. exact: Rabs_pos. }
have := H i j. have := H i l. have := H k j. have := H k l. move: (\rsum_(i : row_type g) _) => s.
split_Rabs; lra.
Qed.

(* The pairs of a step and the average of the replies before it hold every payoff ever more closely: by Corollary D.2
   a limit point of theirs is a saddle point. *)
Theorem nash_exists g : 0 < temperature (column_prior g) -> exists x y, nash g x y.
Proof.
move=> t0. have [w W] := interaction_exists g. have [x0 I0] := interior_exists _ (row_prior g).
have [m [m0 Hm]] := positive_floor _ x0. set k := - ln m.
have K u : strategy (row_prior g) u -> kl u x0 <= k.
{ move=> Su. have [[q0 q1 _] _] := I0. have [u0 u1 _] := Su. apply: kl_le => //. exact: support Su I0. }
set tau := w ^ 2 / (16 * temperature (column_prior g)) + 1.
have i0 := Rinv_0_lt_compat (16 * temperature (column_prior g)) ltac:(lra).
have w2 := Rmult_le_pos _ _ (pow2_ge_0 w) (Rlt_le _ _ i0).
have tau0 : 0 < tau by rewrite /tau /Rdiv; lra.
have Hc : w ^ 2 / (16 * temperature (column_prior g)) <= tau by rewrite /tau; lra.
pose x n := run g tau x0 n.+1. pose y n := average g tau x0 n.+1.
have Sx n : strategy (row_prior g) (x n) := proj1 (run_interior g tau x0 n.+1 I0).
have Sy n : strategy (column_prior g) (y n) := proj1 (average_interior g t0 tau tau0 x0 n).
have B u v n : strategy (row_prior g) u -> strategy (column_prior g) v ->
  payoff g u (y n) - payoff g (x n) v <= tau * k * / (INR n + 1).
{ move=> Su Sv. have A := average_bound g t0 tau w tau0 W Hc x0 u n.+1 I0 Su. rewrite -/(x n) -/(y n) in A.
  have G := guarantee_le g t0 (x n) v Sv. have L := geometric_ge g tau tau0 n.+1.
  have N := lt_0_INR n.+1 (Nat.lt_0_succ n). rewrite -S_INR. apply: (Rmult_le_reg_l (INR n.+1)) => //.
  have -> : INR n.+1 * (tau * k * / INR n.+1) = tau * k by field; lra.
  have D := Rmult_le_compat_l _ _ _ (Rlt_le _ _ tau0) (K u Su).
  have D0 := Rmult_le_pos _ _ (Rlt_le _ _ tau0) (divergence_ge0 _ _ _ _ Su I0).
  move: A G. move: (payoff g u (y n)) (payoff g (x n) v) (payoff g (x n) _) => a b c A G.
  case: (Rle_lt_dec (a - b) 0) => H; first by have := Rmult_le_compat_l _ _ _ (Rlt_le _ _ N) H; lra.
  have := Rmult_le_compat_r (a - b) _ _ (Rlt_le _ _ H) L.
  have := Rmult_le_compat_l (Damped.geometric (growth g tau) n.+1) (a - b) (a - c) ltac:(lra) ltac:(lra). lra. }
pose z n (i : row_type g + column_type g) := match i with inl i => x n i | inr j => y n j end.
have H n i : 0 <= z n i <= 1.
{ case: i => i /=; [have [p0 p1 _] := Sx n|have [p0 p1 _] := Sy n]; split=> //; rewrite -p1;
    [exact: (rsum_single_le _ (x n))|exact: (rsum_single_le _ (y n))]. }
have [psi [l [A C]]] := subsequences _ z H.
pose xl i := l (inl i). pose yl j := l (inr j).
have Cx i : Un_cv (fun n => x (psi n) i) (xl i) := C (inl i).
have Cy j : Un_cv (fun n => y (psi n) j) (yl j) := C (inr j).
have Sxl := strategy_cv _ _ _ _ (fun n => Sx (psi n)) Cx. have Syl := strategy_cv _ _ _ _ (fun n => Sy (psi n)) Cy.
have saddle u v : strategy (row_prior g) u -> strategy (column_prior g) v -> payoff g u yl <= payoff g xl v.
{ move=> Su Sv.
  have L1 := payoff_cv g _ _ u yl (fun _ => Su) (fun n => Sy (psi n)) (fun i => Existence.cv_const (u i)) Cy.
  have L2 := payoff_cv g _ _ xl v (fun n => Sx (psi n)) (fun _ => Sv) Cx (fun j => Existence.cv_const (v j)).
  have L3 := Existence.cv_scal (tau * k) _ _ (cv_subsequence _ _ _ A RinvN_cv).
  have := Existence.cv_ge 0 _ _ _ (CV_minus _ _ _ _ L3 (CV_minus _ _ _ _ L1 L2)) => /(_ _)/Wrap []; last by lra.
  move=> n /=. have := B u v (psi n) Su Sv. lra. }
exists xl, yl. split=> // [u Su|v Sv]; exact: saddle.
Qed.

(** * The constant of Proposition 7.2 is the least *)

Section Sharp.
Variables (t w : R).
Hypotheses (t0 : 0 < t) (w0 : 0 < w).
Let k := w / (2 * t).

Definition tilt e (b : bool) := if b then / 2 + e else / 2 - e.

(* Both sides vanish to second order at e = 0, and their second derivatives there are w^2 / (4 t) and 4 L. *)
Lemma second_order L : 0 <= L -> (forall e, 0 < e < / 2 ->
    t * ln ((exp (k * e) + exp (- (k * e))) / 2) <= L * ((/ 2 + e) * ln (1 + 2 * e) + (/ 2 - e) * ln (1 - 2 * e))) ->
  w ^ 2 / (16 * t) <= L.
Proof.
move=> L0 H. apply: Rnot_lt_le => Lw. set M := w ^ 2 / (16 * t) in Lw.
have k0 : 0 < k by apply: Rdiv_lt_0_compat; lra.
have E : t * k * k = 4 * M by rewrite /k /M; field; lra.
have D0 : 0 < 2 * (L * k + 2 * M) by nra.
set e := Rmin (/ 4) ((M - L) / (2 * (L * k + 2 * M))).
have e0 : 0 < e by apply: Rmin_pos; [lra|apply: Rdiv_lt_0_compat; lra].
have e4 : e <= / 4 := Rmin_l _ _.
have eM : e * (L * k + 2 * M) < M - L.
{ have /(Rmult_le_compat_r _ _ _ (Rlt_le _ _ D0)) := Rmin_r (/ 4) ((M - L) / (2 * (L * k + 2 * M))). rewrite -/e.
  have -> : (M - L) / (2 * (L * k + 2 * M)) * (2 * (L * k + 2 * M)) = M - L by field; lra. lra. }
pose f s := L * ((/ 2 + s) * ln (1 + 2 * s) + (/ 2 - s) * ln (1 - 2 * s))
  - t * ln ((exp (k * s) + exp (- (k * s))) / 2).
pose f' s := L * (ln (1 + 2 * s) - ln (1 - 2 * s))
  - t * k * (exp (k * s) - exp (- (k * s))) / (exp (k * s) + exp (- (k * s))).
have D s : 0 <= s <= e -> derivable_pt_lim f s (f' s).
{ move=> Hs. have A := exp_pos (k * s). have B := exp_pos (- (k * s)). apply/is_derive_Reals. rewrite /f /f'.
  auto_derive; first lra. rewrite -!/(1 - 2 * s). field. lra. }
have [c [F Hc]] := MVT_cor2 f f' 0 e e0 D.
have f0 : f 0 = 0.
{ rewrite /f !Rmult_0_r Ropp_0 exp_0 !Rplus_0_r !Rminus_0_r ln_1. have -> : (1 + 1) / 2 = 1 by field.
  rewrite ln_1. ring. }
have fe : 0 <= f e by have := H e ltac:(lra); rewrite /f; lra.
have kc : 0 < k * c by apply: Rmult_lt_0_compat; lra.
have up : ln (1 + 2 * c) - ln (1 - 2 * c) <= 4 * c / (1 - 2 * c).
{ rewrite -ln_div; try lra. have := ln_le_sub1 ((1 + 2 * c) / (1 - 2 * c)) ltac:(apply: Rdiv_lt_0_compat; lra).
  have -> : (1 + 2 * c) / (1 - 2 * c) - 1 = 4 * c / (1 - 2 * c) by field; lra. lra. }
have lo : k * c / (1 + k * c) <= (exp (k * c) - exp (- (k * c))) / (exp (k * c) + exp (- (k * c))).
{ have A := exp_pos (k * c). have B := exp_pos (- (k * c)).
  have : exp (- (k * c)) * (1 + 2 * (k * c)) <= exp (k * c).
  { have -> : exp (k * c) = exp (- (k * c)) * exp (2 * (k * c)) by rewrite -exp_plus; congr exp; ring.
    apply: Rmult_le_compat_l; [lra|exact: exp_ineq1_le]. }
  move: (exp (k * c)) (exp (- (k * c))) A B => p q A B X.
  apply: (Rmult_le_reg_r ((1 + k * c) * (p + q))); first by apply: Rmult_lt_0_compat; lra.
  have -> : k * c / (1 + k * c) * ((1 + k * c) * (p + q)) = k * c * (p + q) by field; lra.
  have -> : (p - q) / (p + q) * ((1 + k * c) * (p + q)) = (p - q) * (1 + k * c) by field; lra. lra. }
have neg : f' c <= 4 * c * (L / (1 - 2 * c) - M / (1 + k * c)).
{ have -> : 4 * c * (L / (1 - 2 * c) - M / (1 + k * c)) = L * (4 * c / (1 - 2 * c)) - t * k * (k * c / (1 + k * c)).
  { have -> : t * k * (k * c / (1 + k * c)) = t * k * k * (c / (1 + k * c)) by field; lra. rewrite E. field. lra. }
  have := Rmult_le_compat_l _ _ _ L0 up.
  have := Rmult_le_compat_l (t * k) _ _ ltac:(apply: Rmult_le_pos; lra) lo. rewrite /f' /Rdiv. lra. }
have : L / (1 - 2 * c) < M / (1 + k * c).
{ apply: (Rmult_lt_reg_r ((1 - 2 * c) * (1 + k * c))); first by apply: Rmult_lt_0_compat; lra.
  have -> : L / (1 - 2 * c) * ((1 - 2 * c) * (1 + k * c)) = L * (1 + k * c) by field; lra.
  have -> : M / (1 + k * c) * ((1 - 2 * c) * (1 + k * c)) = M * (1 - 2 * c) by field; lra.
  have : c * (L * k + 2 * M) < e * (L * k + 2 * M) by apply: Rmult_lt_compat_r; lra. lra. }
move=> X. have Y : 4 * c * (L / (1 - 2 * c) - M / (1 + k * c)) < 0 by nra. rewrite f0 in F. nra.
Qed.

Definition fair s (s0 : 0 <= s) : prior bool_finType.
Proof. by refine (@Prior _ (fun _ => / 2) s _ _ s0) => [_|]; [lra|rewrite rsum_bool; lra]. Defined.

(* Matching pennies, paid w / 4 for a match. *)
Definition pennies := Game bool_finType bool_finType (fun i j => if i == j then w / 4 else - (w / 4))
  (fair 0 (Rle_refl 0)) (fair t (Rlt_le _ _ t0)).

Lemma pennies_interaction : interaction pennies w.
Proof. by move=> [] [] [] [] /=; lra. Qed.

Lemma pennies_utilities e j : column_utilities pennies (tilt e) j = if j then - (e * w / 2) else e * w / 2.
Proof. rewrite /column_utilities /utilities rsum_bool /tilt. case: j => /=; field. Qed.

Lemma tilt_strategy e : 0 <= e < / 2 -> strategy (row_prior pennies) (tilt e).
Proof. move=> H. split=> [[]||] /=; rewrite ?rsum_bool /tilt; lra. Qed.

Lemma pennies_excess e : t * kl (column_reply pennies (tilt 0)) (column_reply pennies (tilt e)) =
  t * ln ((exp (k * e) + exp (- (k * e))) / 2).
Proof.
set y := column_reply pennies (tilt 0). have Iy : interior (column_prior pennies) y by exact: column_reply_interior.
have U j : column_utilities pennies (tilt 0) j / t = 0 by rewrite pennies_utilities; case: j; field; lra.
have Y j : y j = / 2.
{ rewrite /y /column_reply reply_closed // rsum_bool /= !U exp_0. field. }
rewrite -(reply_regret _ (column_prior pennies) _ y t0 (proj1 Iy)) (reply_worth _ (column_prior pennies)) //.
have -> : worth (column_prior pennies) (column_utilities pennies (tilt e)) y = 0.
{ rewrite /worth /kl !rsum_bool !Y !pennies_utilities /= /Rdiv Rinv_r ?ln_1; lra. }
rewrite Rminus_0_r /normaliser rsum_bool !(reply_weight _ (column_prior pennies)) // !pennies_utilities /=.
congr (_ * ln _).
have -> : - (e * w / 2) / t = - (k * e) by rewrite /k; field; lra.
have -> : e * w / 2 / t = k * e by rewrite /k; field; lra.
field.
Qed.

Lemma tilt_divergence e : 0 < e < / 2 -> kl (tilt e) (tilt 0) = (/ 2 + e) * ln (1 + 2 * e) + (/ 2 - e) * ln (1 - 2 * e).
Proof. move=> H. rewrite /kl rsum_bool /tilt. congr (_ * ln _ + _ * ln _); field. Qed.

Theorem smooth_least L : (forall g x u, temperature (column_prior g) = t -> interaction g w ->
    strategy (row_prior g) x -> strategy (row_prior g) u -> (forall i, x i = 0 -> u i = 0) ->
    t * kl (column_reply g x) (column_reply g u) <= L * kl u x) ->
  w ^ 2 / (16 * t) <= L.
Proof.
move=> H. have M : 0 < w ^ 2 / (16 * t) by apply: Rdiv_lt_0_compat; nra.
suff : w ^ 2 / (16 * t) <= Rmax 0 L by rewrite /Rmax; case: Rle_dec; lra.
apply: second_order => [|e He]; first exact: Rmax_l.
have [S0 Se] : strategy (row_prior pennies) (tilt 0) /\ strategy (row_prior pennies) (tilt e)
  by split; apply: tilt_strategy; lra.
have Z i : tilt 0 i = 0 -> tilt e i = 0 by rewrite /tilt; case: i; lra.
rewrite -pennies_excess -tilt_divergence //.
apply: Rle_trans (H pennies (tilt 0) (tilt e) erefl pennies_interaction S0 Se Z) _.
apply: Rmult_le_compat_r; last exact: Rmax_r. have [a0 a1 _] := S0. have [b0 b1 _] := Se. exact: kl_ge0.
Qed.
End Sharp.

(** * Headlines *)

(* Regrets and the gap in closed form: t KL from the one best reply, or at t = 0 what the pure strategies lack. *)
Theorem proposition_7_1 (g : game) x y e : strategy (row_prior g) x -> strategy (column_prior g) y ->
  let r := regret (row_prior g) (row_utilities g y) x in
  let c := regret (column_prior g) (column_utilities g x) y in
  (forall u, row_best g y u -> payoff g u y - payoff g x y = r) /\
  (forall v, column_best g x v -> payoff g x y - payoff g x v = c) /\
  (exploitability g x y e <-> e = r + c) /\ 0 <= r /\ 0 <= c.
Proof.
move=> Sx Sy. split=> [u B|]; first exact: row_regret. split=> [v B|]; first exact: column_regret.
split; first exact: gap_regrets. by split; exact: regret_ge0.
Qed.

(* Best replies exist; at a positive temperature there is one, r e^(u / t) normalised. *)
Theorem proposition_7_1_replies (g : game) x y :
  let s := temperature (row_prior g) in let r := reference (row_prior g) in
  let t := temperature (column_prior g) in let q := reference (column_prior g) in
  (exists u, row_best g y u) /\ (exists v, column_best g x v) /\
  (0 < s -> forall u, row_best g y u -> forall i, u i = row_reply g y i /\
    u i = r i * exp (row_utilities g y i / s) / \rsum_(k : row_type g) (r k * exp (row_utilities g y k / s))) /\
  (0 < t -> forall v, column_best g x v -> forall j, v j = column_reply g x j /\
    v j = q j * exp (column_utilities g x j / t) / \rsum_(l : column_type g) (q l * exp (column_utilities g x l / t))).
Proof.
split; first exact: row_best_exists. split; first exact: column_best_exists.
split=> t0 b B i; rewrite -reply_closed //; split; apply: best_unique => //.
- exact/row_best_worth.
- exact/row_best_worth.
- exact/column_best_worth.
- exact/column_best_worth.
Qed.

(* Smoothness relative to entropy, with the least constant. *)
Theorem proposition_7_2 (g : game) (w : R) x u : let t := temperature (column_prior g) in
  0 < t -> interaction g w -> strategy (row_prior g) x -> strategy (row_prior g) u -> (forall i, x i = 0 -> u i = 0) ->
  payoff g u (column_reply g x) - least_payoff g u = t * kl (column_reply g x) (column_reply g u) /\
  0 <= t * kl (column_reply g x) (column_reply g u) <= w ^ 2 / (16 * t) * kl u x.
Proof. move=> t t0. exact: smooth. Qed.

(* Payoffs within r of each other: the constant is r^2 / (4 t). *)
Theorem proposition_7_2_range (g : game) (lo r : R) :
  (forall i j, lo <= payoffs g i j <= lo + r) ->
  interaction g (2 * r) /\ forall t, 0 < t -> (2 * r) ^ 2 / (16 * t) = r ^ 2 / (4 * t).
Proof.
move=> H. split=> [i k j l|t t0].
- have := H i j. have := H i l. have := H k j. have := H k l. lra.
- field. lra.
Qed.

(* No smaller constant in terms of w and t holds for all games. *)
Theorem proposition_7_2_sharp (t w L : R) : 0 < t -> 0 < w ->
  (forall g x u, temperature (column_prior g) = t -> interaction g w ->
    strategy (row_prior g) x -> strategy (row_prior g) u -> (forall i, x i = 0 -> u i = 0) ->
    t * kl (column_reply g x) (column_reply g u) <= L * kl u x) ->
  w ^ 2 / (16 * t) <= L.
Proof. move=> t0 w0. exact: smooth_least. Qed.

(* The equilibria of a game with a temperature for the column player: they exist, they are the maximisers of
   G(x) = min_y F(x, y) with their replies, and only x may differ, where the row player has no temperature. *)
Theorem theorem_D_equilibria (g : game) : 0 < temperature (column_prior g) ->
  (exists x y, nash g x y) /\ forall x y x' y', nash g x y ->
  (nash g x' y' <-> [/\ strategy (row_prior g) x',
                        forall u, strategy (row_prior g) u -> least_payoff g u <= least_payoff g x'
                      & forall j, y' j = column_reply g x' j]) /\
  (nash g x' y' -> [/\ forall j, y' j = y j, payoff g x' y' = payoff g x y
                     & 0 < temperature (row_prior g) -> forall i, x' i = x i]).
Proof.
move=> t0. split; first exact: nash_exists. move=> x y x' y' N.
split; [exact: (equilibria g t0 x y x' y' N)|exact: (equilibrium_unique g t0 x y x' y' N)].
Qed.

(* The row player's proximal best reply to the column player's best reply: the step is the one maximiser. *)
Theorem theorem_D_step (g : game) (tau : R) x u : 0 < tau -> interior (row_prior g) x -> strategy (row_prior g) u ->
  let y := column_reply g x in let x' := run g tau x 1 in
  payoff g u y - tau * kl u x =
  payoff g x' y - tau * kl x' x - (tau + temperature (row_prior g)) * kl u x' /\ 0 <= kl u x'.
Proof.
move=> tau0 Ix Su. split; first exact: proximal. apply: divergence_ge0 Su _. exact: (run_interior _ _ _ 1).
Qed.

(* Theorem D: the energy balance of a round. *)
Theorem theorem_D (g : game) (tau w : R) x0 xs ys n :
  let s := temperature (row_prior g) in let t := temperature (column_prior g) in
  0 < t -> 0 < tau -> interaction g w -> w ^ 2 / (16 * t) <= tau -> interior (row_prior g) x0 -> nash g xs ys ->
  let x := run g tau x0 in let y n := column_reply g (x n) in
  (tau + s) * kl xs (x n.+1) + s * kl (x n.+1) xs + t * kl ys (y n.+1) + t * kl (y n) ys <= tau * kl xs (x n).
Proof.
move=> s t t0 tau0 W H I N x y. apply: (energy g t0 tau w) => //. exact: run_interior.
Qed.

(* Strategies and values: D_n falls by 1 + s / tau a round, or values like 1 / n where s = 0. *)
Theorem corollary_D_1 (g : game) (tau w : R) x0 xs ys n :
  let s := temperature (row_prior g) in let t := temperature (column_prior g) in
  0 < t -> 0 < tau -> interaction g w -> w ^ 2 / (16 * t) <= tau -> interior (row_prior g) x0 -> nash g xs ys ->
  let x := run g tau x0 in let y n := column_reply g (x n) in let d := payoff g xs ys - least_payoff g (x n) in
  kl xs (x n) <= kl xs x0 / (1 + s / tau) ^ n /\
  least_payoff g (x n) <= least_payoff g (x n.+1) /\
  t * kl ys (y n) <= d /\ ((1 + s / tau) ^ n - 1) * d <= s * kl xs x0 /\ (s = 0 -> INR n * d <= tau * kl xs x0).
Proof.
move=> s t t0 tau0 W H I N x y d. split.
- have G : 0 < growth g tau ^ n by have := growth_pow g tau tau0 n; lra.
  apply: (Rmult_le_reg_l _ _ _ G). rewrite -/(growth g tau). have := linear g t0 tau w tau0 W H xs ys N x0 n I.
  have -> : growth g tau ^ n * (kl xs x0 / growth g tau ^ n) = kl xs x0 by field; lra. by [].
- split; last exact: (value_bound g t0 tau w). apply: (advance_increases g t0 tau w) => //. exact: run_interior.
Qed.

(* The gap of x_n and the average of the replies before it. *)
Theorem corollary_D_2 (g : game) (tau w k : R) x0 n e :
  let s := temperature (row_prior g) in let t := temperature (column_prior g) in
  0 < t -> 0 < tau -> interaction g w -> w ^ 2 / (16 * t) <= tau -> interior (row_prior g) x0 ->
  (forall u, strategy (row_prior g) u -> kl u x0 <= k) ->
  exploitability g (run g tau x0 n) (average g tau x0 n) e ->
  ((1 + s / tau) ^ n - 1) * e <= s * k /\ (s = 0 -> INR n * e <= tau * k).
Proof. move=> s t t0 tau0 W H I K. exact: (gap_bound g t0 tau w). Qed.

(* From the uniform strategy, where no row is ruled out, k = ln m for m rows. *)
Theorem corollary_D_2_uniform (g : game) : let x0 := fun _ => / INR #|row_type g| in
  (forall i, 0 < reference (row_prior g) i) \/ temperature (row_prior g) = 0 ->
  interior (row_prior g) x0 /\ forall u, strategy (row_prior g) u -> kl u x0 <= ln (INR #|row_type g|).
Proof.
move=> x0 H. have I := uniform_strategy _ _ H. split=> // u Su. have [u0 u1 _] := Su. have [[q0 q1 _] _] := I.
have [j Pj] := positive_exists _ _ q0 q1. have n0 : 0 < / INR #|row_type g| by exact: Pj.
have P := Rinv_0_lt_compat _ n0. rewrite Rinv_inv in P. rewrite -[ln _]Ropp_involutive -ln_Rinv //.
apply: kl_le => //; [exact: support Su I|move=> i _; by right].
Qed.

(* The last pair, where both players have a temperature. *)
Theorem corollary_D_3 (g : game) (tau w : R) x0 xs ys n u :
  let s := temperature (row_prior g) in let t := temperature (column_prior g) in
  0 < s -> 0 < t -> 0 < tau -> interaction g w -> w ^ 2 / (16 * t) <= tau ->
  interior (row_prior g) x0 -> nash g xs ys ->
  let y := column_reply g (run g tau x0 n) in row_best g y u ->
  payoff g u y - payoff g xs ys <=
  (1 + w ^ 2 / (16 * s * t)) * (w ^ 2 / (16 * t)) * (kl xs x0 / (1 + s / tau) ^ n).
Proof.
move=> s t s0 t0 tau0 W H I N y B. apply: Rle_trans (last_pair g t0 tau w W xs ys N x0 n u I s0 B) _.
have [D _] := corollary_D_1 g tau w x0 xs ys n t0 tau0 W H I N.
apply: Rmult_le_compat_l => //. have i0 := Rinv_0_lt_compat (16 * t) ltac:(lra).
have j0 : 0 < / (16 * s * t) by apply: Rinv_0_lt_compat; apply: Rmult_lt_0_compat; lra.
apply: Rmult_le_pos; last by apply: Rmult_le_pos; [exact: pow2_ge_0|left; exact: i0].
apply: Rplus_le_le_0_compat; first lra. apply: Rmult_le_pos; [exact: pow2_ge_0|left; exact: j0].
Qed.
