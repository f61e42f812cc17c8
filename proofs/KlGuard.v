(* A proved checker of certificates for the generator-classifier game (Propositions 1 and 2, bounds from both sides).

   guarantees Q p v  == the generator p gets at least v against every classifier of the class Q
   concedes Q q v    == the classifier q of the class Q lets no generator get more than v
   eps_nash Q p q e  == the two players' gains from changing strategy sum to at most e (NashConv)
   bounds_eps_nash   == p guarantees v and q concedes v + e: an e-Nash pair
   eps_nash_gap      == of an e-Nash pair the exploitability, where both have best replies, is at most e
   bounds_nash       == and the payoff of every equilibrium lies in [v, v + e]

   certificate       == the integers of a game, of a generator and a classifier, and a claimed value and gap
   seeds, texts, label_at, reference, p_row, q_row, real_row, real_texts, real_mass, label_ord == what c says of them
   is_game c         == c's game is one: its rows are distributions, its numbers have the right signs
   game_of V         == the game of Game.v that c stands for, for a proof V that is_game c
   class_of V        == its classifiers: all of them at the floor 0, the clipped ones above; class_ofP: in words
   in_support c, in_class c == the claimed strategies are strategies of the game; is_live: q must be positive there
   generator_of V, classifier_of V, value c, gap c == the strategies and numbers that c claims

   fitted c z y      == W_p(y, z) times the common denominator mass_over c, an integer
   least_loss f w    == encloses real_least_loss f w, a lower bound of the loss of all rows q >= f on the masses w: the
                        sum of bracket nu w_y, the least of w_y (-ln t) + nu t over t >= f, less nu; is_free nu w_y if
                        that least is not at f; multiplier w is the nu for which the bound is sharp, found by next;
                        real_multiplier and real_bracket are the reals that these integers and intervals stand for
   guaranteed b c    == encloses real_guaranteed, a lower bound of what the generator gets (at b bits)
   tabulate, look    == a table of intervals computed once
   conceded b c      == encloses an upper bound of what the classifier concedes
   check b c         == in_support, in_class, value c <= guaranteed b c, conceded b c <= value c + gap c
   check_sound       == check b c: generator_of guarantees value c, classifier_of concedes value c + gap c
   check_gap         == check b c: an eps-Nash pair with eps = gap c
   check_nash        == check b c: the payoff of every equilibrium is in [value c, value c + gap c]        *)
From Coq Require Import ZArith QArith Qreals Reals Lra Psatz.
From mathcomp Require Import ssreflect ssrfun ssrbool eqtype ssrnat seq choice fintype bigop.
From Nashguard Require Import Sums Logs Game Replies Smooth Posterior KlBounds.
From Nashguard Require Matrix.
Open Scope R_scope.

(* Bounds *)

Section Bounds.
Context {g : game}.
Implicit Types (Q : class g) (p u : generator g) (q : classifier g).

Definition guarantees Q p (v : R) := is_generator p /\ forall q, Q q -> v <= payoff p q.

Definition concedes Q q (v : R) := Q q /\ forall u, is_generator u -> payoff u q <= v.

Definition eps_nash Q p q (e : R) :=
  [/\ is_generator p, Q q
    & forall u q', is_generator u -> Q q' -> (payoff u q - payoff p q) + (payoff p q - payoff p q') <= e].

Theorem bounds_eps_nash Q p q v e : guarantees Q p v -> concedes Q q (v + e) -> eps_nash Q p q e.
Proof. move=> [Hp G] [Hq C]; split=> // u q' Hu Hq'. have := G q' Hq'. have := C u Hu. lra. Qed.

Theorem eps_nash_gap Q p q e d : eps_nash Q p q e -> exploitability Q p q d -> d <= e.
Proof. move=> [_ _ H] [u [q' [Hu [_ [[Qq' _] ->]]]]]. exact: H. Qed.

Theorem bounds_nash Q p q v e p' q' : guarantees Q p v -> concedes Q q (v + e) -> nash Q p' q' ->
  v <= payoff p' q' <= v + e.
Proof.
move=> [Hp G] [Hq C] [Hp' [M [Qq' R]]]. have := G q' Qq'. have := M p Hp. have := C p' Hp'. have := R q Hq. lra.
Qed.

Lemma concedes_admissible Q q v : 0 < beta g -> Q q -> step_constant 0 ref q <= v -> concedes Q q v.
Proof.
move=> b0 Hq H. split=> // u Hu. have Aq := member_admissible Q q Hq.
have k0 : 0 < 0 + beta g by lra.
have := step_identity 0 ref q u k0 reference_interior Aq Hu.
have := divergence_ge0 u _ Hu (step_interior 0 ref q). nra.
Qed.
End Bounds.

(* The least loss of a row *)

(* For any nu > 0 and any row q >= f that sums to 1, the loss sum w (-ln q) is sum (w (-ln q) + nu q) - nu, and each
   bracket is least at q = max(f, w / nu).  So the bound holds whatever nu is; `multiplier` makes it sharp. *)
Section LeastLoss.
Variables (bits : Z) (f : Q).
Implicit Types (nu : positive * positive) (v : Z) (w : seq Z).

Definition is_free nu v : bool := (Qnum f * Zpos nu.1 <=? v * (QDen f * Zpos nu.2))%Z.

Definition real_multiplier nu : R := IZR (Zpos nu.1) / IZR (Zpos nu.2).

Definition bracket nu v : interval :=
  let floor := quotient bits (Qnum f * Zpos nu.1) (QDen f * Zpos nu.2) in
  if Z.eqb v 0 then floor
  else if is_free nu v
  then minus bits (integer bits v) (times bits (integer bits v) (log_quotient bits (v * Zpos nu.2) (Zpos nu.1)))
  else minus bits floor (times bits (integer bits v) (log_quotient bits (Qnum f) (QDen f))).

Definition real_bracket nu v : R :=
  if Z.eqb v 0 then Q2R f * real_multiplier nu
  else if is_free nu v then IZR v - IZR v * ln (IZR v / real_multiplier nu)
  else Q2R f * real_multiplier nu - IZR v * ln (Q2R f).

Lemma multiplier_pos nu : 0 < real_multiplier nu.
Proof. apply: Rdiv_lt_0_compat; exact: IZR_lt. Qed.

Lemma encloses_bracket nu v : encloses (bracket nu v) (real_bracket nu v).
Proof.
have [a b] : 0 < IZR (Zpos nu.1) /\ 0 < IZR (Zpos nu.2) by split; exact: IZR_lt.
have d : 0 < IZR (QDen f) by exact: IZR_lt.
have F : encloses (quotient bits (Qnum f * Zpos nu.1) (QDen f * Zpos nu.2)) (Q2R f * real_multiplier nu).
{ have -> : Q2R f * real_multiplier nu = IZR (Qnum f * Zpos nu.1) / IZR (QDen f * Zpos nu.2).
  { rewrite !mult_IZR /Q2R /real_multiplier. field. lra. }
  exact: encloses_quotient. }
rewrite /bracket /real_bracket. case: Z.eqb_spec => // _. case: is_free.
- apply: encloses_minus; first exact: encloses_integer. apply: encloses_times; first exact: encloses_integer.
  have -> : IZR v / real_multiplier nu = IZR (v * Zpos nu.2) / IZR (Zpos nu.1).
  { rewrite mult_IZR /real_multiplier. field. lra. }
  exact: encloses_log_quotient.
- apply: encloses_minus => //. apply: encloses_times; first exact: encloses_integer. exact: encloses_log_quotient.
Qed.

Lemma bracket_le nu v t : (0 <= v)%Z -> Q2R f <= t -> ((0 < v)%Z -> 0 < t) ->
  real_bracket nu v <= IZR v * - ln t + real_multiplier nu * t.
Proof.
have N := multiplier_pos nu. have d : 0 < IZR (QDen f) by exact: IZR_lt.
move=> v0 ft t0. rewrite /real_bracket. case: Z.eqb_spec => [->|vne]; first nra.
have {}v0 : (0 < v)%Z by lia. have {}t0 := t0 v0. have V := IZR_lt _ _ v0.
have below s : 0 < s -> - IZR v * ln s - IZR v * (t / s - 1) <= IZR v * - ln t.
{ move=> s0. have := ln_le_sub1 (t / s) (Rdiv_lt_0_compat _ _ t0 s0). rewrite ln_div // => H. nra. }
have E : is_free nu v = false -> IZR v < Q2R f * real_multiplier nu.
{ move=> /Z.leb_gt /IZR_lt. rewrite !mult_IZR /Q2R /real_multiplier => H.
  have [a b] : 0 < IZR (Zpos nu.1) /\ 0 < IZR (Zpos nu.2) by split; exact: IZR_lt.
  apply: (Rmult_lt_reg_r (IZR (QDen f) * IZR (Zpos nu.2))); first exact: Rmult_lt_0_compat.
  have -> : IZR (Qnum f) * / IZR (QDen f) * (IZR (Zpos nu.1) / IZR (Zpos nu.2)) * (IZR (QDen f) * IZR (Zpos nu.2))
            = IZR (Qnum f) * IZR (Zpos nu.1) by field; lra.
  exact: H. }
case: is_free E => [_|/(_ erefl) E].
- have := below _ (Rdiv_lt_0_compat _ _ V N).
  have -> : IZR v * (t / (IZR v / real_multiplier nu) - 1) = real_multiplier nu * t - IZR v by field; lra.
  lra.
- have F : 0 < Q2R f by nra. have := below _ F.
  have : IZR v / Q2R f * (t - Q2R f) <= real_multiplier nu * (t - Q2R f).
  { apply: Rmult_le_compat_r; first lra. apply: (Rmult_le_reg_r (Q2R f)) => //.
    have -> : IZR v / Q2R f * Q2R f = IZR v by field; lra. lra. }
  have -> : IZR v / Q2R f * (t - Q2R f) = IZR v * (t / Q2R f - 1) by field; lra.
  nra.
Qed.

(* The entries above the floor, f nu <= w, share the room that the others leave: rounds of guessing which. *)
Definition next w (nu : Z * Z) : Z * Z :=
  let free := [seq v <- w | Qnum f * nu.1 <=? v * (QDen f * nu.2)]%Z in
  (Matrix.sum free * QDen f, QDen f - Qnum f * Z.of_nat (size w - size free)%N)%Z.

Definition multiplier w : positive * positive :=
  let nu := iter (size w) (next w) (Matrix.sum w, 1%Z) in (Z.to_pos nu.1, Z.to_pos nu.2).

Definition least_loss w : interval :=
  if all (Z.eqb 0) w then zero else
  let nu := multiplier w in
  minus bits (total bits (size w) (fun y => bracket nu (nth 0%Z w y))) (quotient bits (Zpos nu.1) (Zpos nu.2)).

Definition real_least_loss w : R :=
  if all (Z.eqb 0) w then 0 else
  \rsum_(y : 'I_(size w)) real_bracket (multiplier w) (nth 0%Z w y) - real_multiplier (multiplier w).

Lemma encloses_least_loss w : encloses (least_loss w) (real_least_loss w).
Proof.
rewrite /least_loss /real_least_loss. case: all; first exact: encloses_zero.
apply: encloses_minus; last exact: encloses_quotient. by apply: encloses_total => y; exact: encloses_bracket.
Qed.

Lemma least_loss_le m w (t : 'I_m -> R) : size w = m -> (forall y, 0 <= nth 0 w y)%Z ->
  \rsum_(y : 'I_m) t y = 1 -> (forall y, Q2R f <= t y) -> (forall y : 'I_m, (0 < nth 0 w y)%Z -> 0 < t y) ->
  real_least_loss w <= \rsum_(y : 'I_m) (IZR (nth 0%Z w y) * - ln (t y)).
Proof.
move=> E; case: _ / E t => t w0 t1 tf tp. rewrite /real_least_loss. case W: all.
- apply: rsum_ge0 => y.
  have /Z.eqb_eq <- := all_nthP 0%Z W _ (ltn_ord y). lra.
- set nu := multiplier w. apply: (Rplus_le_reg_r (real_multiplier nu)).
  rewrite /Rminus Rplus_assoc Rplus_opp_l Rplus_0_r.
  apply: (Rle_trans _ (\rsum_(y : 'I_(size w)) (IZR (nth 0%Z w y) * - ln (t y) + real_multiplier nu * t y))).
  + apply: rsum_le => y. apply: bracket_le; [exact: w0|exact: tf|exact: tp].
  + rewrite rsum_add rsum_scal t1 Rmult_1_r. exact: Rle_refl.
Qed.
End LeastLoss.

(* Certificates *)

Record certificate := Certificate {
  temperature : Q;                      (* beta, in nats of payoff per nat of divergence      *)
  floor : Q;                            (* gamma, the classifier's                            *)
  labels : nat;                         (* their number                                       *)
  label_of : seq nat;                   (* y_i, one a seed                                    *)
  weights : fractions;                  (* rho, one entry a seed                              *)
  references : seq fractions;           (* r_i, one distribution over texts a seed            *)
  real_data : option (Q * table);       (* lambda, and R(y, z) with one row a label           *)
  generator_table : table;              (* p, one row a seed                                  *)
  classifier_table : table;             (* q, one row a text                                  *)
  claimed_value : Q;
  claimed_gap : Q
}.

Section Reading.
Variable c : certificate.

Definition seeds := size (label_of c).
Definition texts := size (numerators (nth (Fractions 1 [::]) (references c) 0)).
Definition label_at (i : nat) : nat := nth 0%N (label_of c) i.
Definition reference (i : nat) : fractions := nth (Fractions 1 [::]) (references c) i.
Definition real_texts : Q * table := odflt (0 # 1, Table 1 [::]) (real_data c).
Definition p_row (i : nat) : fractions := row (generator_table c) i.
Definition q_row (z : nat) : fractions := row (classifier_table c) z.
Definition real_row (y : nat) : fractions := row real_texts.2 y.

Definition value : R := Q2R (claimed_value c).
Definition gap : R := Q2R (claimed_gap c).

Definition is_game : bool :=
  [&& (0 <? Qnum (temperature c))%Z, (0 <=? Qnum (floor c))%Z,
      below seeds (fun i => label_at i < labels c)%N,
      distribution seeds (weights c), below seeds (fun i => 0 <? whole (weights c) i)%Z,
      size (references c) == seeds, below seeds (fun i => distribution texts (reference i)),
      (0 <=? Qnum real_texts.1)%Z
    & if real_data c is Some (_, t)
      then (size (rows t) == labels c) && all (fun r => (size r == texts) && all (Z.leb 0) r) (rows t) else true].
End Reading.

Section Game.
Context {c : certificate}.
Variable V : is_game c.

Lemma label_lt (i : 'I_(seeds c)) : (label_at c i < labels c)%N.
Proof. by case/and5P: V => _ _ /belowP. Qed.

Definition label_ord (i : 'I_(seeds c)) : 'I_(labels c) := Ordinal (label_lt i).

Definition real_mass (y : nat) (z : nat) : R := Q2R (real_texts c).1 * entry (real_row c y) z.

Lemma temperature_pos : 0 < Q2R (temperature c).
Proof. by case/and5P: V => /Q2R_gt0. Qed.

Lemma weights_distribution : distribution (seeds c) (weights c).
Proof. by case/and5P: V. Qed.

Lemma weight_pos (i : 'I_(seeds c)) : 0 < entry (weights c) i.
Proof. by apply: entry_pos; case/and5P: V => _ _ _ _ /and5P [/belowP /(_ i) /Z.ltb_lt]. Qed.

Lemma reference_distribution (i : 'I_(seeds c)) : distribution (texts c) (reference c i).
Proof. by case/and5P: V => _ _ _ _ /and5P [_ _ /belowP]. Qed.

Lemma reference_ge0 (i : 'I_(seeds c)) (z : 'I_(texts c)) : 0 <= entry (reference c i) z.
Proof. exact: distribution_ge0 (reference_distribution i). Qed.

Lemma real_row_ge0 y : all (Z.leb 0) (numerators (real_row c y)).
Proof.
case/and5P: V => _ _ _ _ /and5P [_ _ _ _]. rewrite /real_row /real_texts.
case: (real_data c) => [[lam t]|_] /=; last by rewrite nth_nil.
case/andP=> _ H. case: (ltnP y (size (rows t))) => [lt|ge]; last by rewrite nth_default.
by case/andP: (all_nthP [::] H _ lt).
Qed.

Lemma real_mass_ge0 (y : 'I_(labels c)) (z : 'I_(texts c)) : 0 <= real_mass y z.
Proof.
apply: Rmult_le_pos; last exact: entry_ge0 (real_row_ge0 y).
by apply: Q2R_ge0; case/and5P: V => _ _ _ _ /and5P [].
Qed.

Definition game_of : game := {|
  seed := ordinal_finType (seeds c);
  label := ordinal_finType (labels c);
  text := ordinal_finType (texts c);
  lab := label_ord;
  rho := fun i : 'I_(seeds c) => entry (weights c) i;
  ref := fun (i : 'I_(seeds c)) (z : 'I_(texts c)) => entry (reference c i) z;
  beta := Q2R (temperature c);
  anchor := fun (y : 'I_(labels c)) (z : 'I_(texts c)) => real_mass y z;
  rho_pos := weight_pos;
  rho_1 := distribution_1 _ _ weights_distribution;
  ref_ge0 := reference_ge0;
  ref_1 := fun i => distribution_1 _ _ (reference_distribution i);
  beta_ge0 := Rlt_le _ _ temperature_pos;
  anchor_ge0 := real_mass_ge0
|}.

Definition class_of : class game_of :=
  match Rlt_dec 0 (Q2R (floor c)) with left H => clipped game_of _ H | right _ => full game_of end.

Definition generator_of : generator game_of := fun i z => entry (p_row c i) z.
Definition classifier_of : classifier game_of := fun z y => entry (q_row c z) y.

Lemma class_ofP (q : classifier game_of) :
  class_of q <-> is_conditional q /\ admissible q /\ forall z y, Q2R (floor c) <= q z y.
Proof.
have F : 0 <= Q2R (floor c) by apply: Q2R_ge0; case/and5P: V.
rewrite /class_of. case: Rlt_dec => [H|N] /=; split.
- move=> [A B]; do !split=> //.
  + by move=> i z _; exact: Rlt_le_trans (B _ _).
  + by move=> y z _; exact: Rlt_le_trans (B _ _).
- by case=> A [_ B].
- move=> [[A B] C]; do !split=> //. move=> z y. have := A z y. lra.
- by case=> A [B _].
Qed.
End Game.

(* The checker *)

Section Check.
Variables (bits : Z) (c : certificate).

Definition in_support : bool :=
  (size (rows (generator_table c)) == seeds c) && below (seeds c) (fun i => distribution (texts c) (p_row c i) &&
    below (texts c) (fun z => Z.eqb (whole (p_row c i) z) 0 || (0 <? whole (reference c i) z)%Z)).

Definition is_live (y z : nat) : bool :=
  has (fun i => (label_at c i == y) && (0 <? whole (reference c i) z)%Z) (iota 0 (seeds c)) ||
  (0 <? Qnum (real_texts c).1)%Z && (0 <? whole (real_row c y) z)%Z.

Definition in_class : bool :=
  (size (rows (classifier_table c)) == texts c) && below (texts c) (fun z =>
    distribution (labels c) (q_row c z) && below (labels c) (fun y =>
    (Qnum (floor c) * Zpos (denominator (q_row c z)) <=? whole (q_row c z) y * QDen (floor c))%Z &&
    (is_live y z ==> (0 <? whole (q_row c z) y)%Z))).

(* W_p(y, z), the mass of Posterior.v, as integers over one denominator. *)
Definition mass_over : Z :=
  Zpos (denominator (weights c) * common (generator_table c) * (common (real_texts c).2 * Qden (real_texts c).1)).

Definition fitted (z y : nat) : Z :=
  (Matrix.sum (mkseq (fun i => if label_at c i == y then whole (weights c) i * whole (p_row c i) z else 0) (seeds c)) *
     Zpos (common (real_texts c).2 * Qden (real_texts c).1) +
   Qnum (real_texts c).1 * whole (real_row c y) z * Zpos (denominator (weights c) * common (generator_table c)))%Z.

Definition masses (z : nat) : seq Z := mkseq (fitted z) (labels c).

Definition guaranteed : interval :=
  minus bits
    (over bits (total bits (texts c) (fun z => least_loss bits (floor c) (masses z))) (integer bits mass_over))
    (times bits (of_Q bits (temperature c)) (total bits (seeds c) (fun i => times bits (value_of bits (weights c) i)
      (total bits (texts c) (fun z => divergence_term bits (p_row c i) (reference c i) z))))).

Definition tabulate (F : nat -> nat -> interval) : seq (seq interval) :=
  mkseq (fun y => mkseq (F y) (texts c)) (labels c).

Definition look (t : seq (seq interval)) (y z : nat) : interval := nth zero (nth [::] t y) z.

Definition conceded : interval :=
  let logs := tabulate (fun y z => log_of bits (q_row c z) y) in
  let lifts := tabulate (fun y z =>
    power_of_e bits (over bits (negative (look logs y z)) (of_Q bits (temperature c)))) in
  plus bits
    (total bits (labels c) (fun y => total bits (texts c) (fun z =>
      times bits (times bits (of_Q bits (real_texts c).1) (value_of bits (real_row c y) z))
        (negative (look logs y z)))))
    (total bits (seeds c) (fun i => times bits (value_of bits (weights c) i) (times bits (of_Q bits (temperature c))
      (log bits (total bits (texts c) (fun z =>
        times bits (value_of bits (reference c i) z) (look lifts (label_at c i) z))))))).

Definition check : bool :=
  [&& in_support, in_class, at_most bits (of_Q bits (claimed_value c)) guaranteed
    & at_most bits conceded (of_Q bits (claimed_value c + claimed_gap c))].
End Check.

Section Soundness.
Context {bits : Z} {c : certificate}.
Variable V : is_game c.
Notation p := (generator_of V).
Notation q := (classifier_of V).

Lemma in_support_generator : in_support c -> is_generator p.
Proof.
case/andP=> _ /belowP S. have {}S i := andP (S i). do !split.
- move=> i z. exact: distribution_ge0 (proj1 (S i)).
- move=> i z /entry_eq0 E. apply: entry_0. case/orP: (belowP _ _ (proj2 (S i)) z) => [/Z.eqb_eq //|].
  by rewrite E.
- move=> i. exact: distribution_1 (proj1 (S i)).
Qed.

Lemma reference_live (i : seed (game_of V)) (z : text (game_of V)) : 0 < ref i z -> is_live c (lab i) z.
Proof.
move=> /entry_gt0 /Z.ltb_lt H. apply/orP; left. apply/hasP. exists (i : nat); first by rewrite mem_iota ltn_ord.
by rewrite eqxx.
Qed.

Lemma anchor_live (y : label (game_of V)) (z : text (game_of V)) : 0 < anchor y z -> is_live c y z.
Proof.
rewrite /= /real_mass => H. apply/orP; right.
have L : 0 <= Q2R (real_texts c).1 by apply: Q2R_ge0; case/and5P: V => _ _ _ _ /and5P [].
have E := entry_ge0 (real_row c y) z (real_row_ge0 V y).
apply/andP; split; apply/Z.ltb_lt.
- apply: lt_IZR. have D : 0 < IZR (QDen (real_texts c).1) by exact: IZR_lt.
  have -> : IZR (Qnum (real_texts c).1) = Q2R (real_texts c).1 * IZR (QDen (real_texts c).1)
    by rewrite /Q2R; field; lra.
  apply: Rmult_lt_0_compat => //. case: L => // L. by move: H; rewrite -L Rmult_0_l; lra.
- apply: entry_gt0. case: E => // E. by move: H; rewrite -E Rmult_0_r; lra.
Qed.

Lemma in_class_member : in_class c -> class_of V q.
Proof.
case/andP=> _ /belowP S. have {}S z := andP (S z). have T z := belowP _ _ (proj2 (S z)).
have pos (z : text (game_of V)) (y : label (game_of V)) : is_live c y z -> 0 < q z y.
{ move=> L. apply: entry_pos. apply/Z.ltb_lt. case/andP: (T z y) => _ /implyP. exact. }
apply/class_ofP; do !split.
- move=> z y. exact: distribution_ge0 (proj1 (S z)).
- move=> z. exact: distribution_1 (proj1 (S z)).
- move=> i z H. exact: pos (reference_live i z H).
- move=> y z H. exact: pos (anchor_live y z H).
- move=> z y. case/andP: (T z y) => /Z.leb_le /IZR_le + _. rewrite !mult_IZR /classifier_of /entry /Q2R => H.
  have [a b] : 0 < IZR (QDen (floor c)) /\ 0 < IZR (Zpos (denominator (q_row c z))) by split; exact: IZR_lt.
  apply: (Rmult_le_reg_r (IZR (QDen (floor c)))) => //.
  apply: (Rmult_le_reg_r (IZR (Zpos (denominator (q_row c z))))) => //.
  by field_simplify; lra.
Qed.

Lemma mass_over_pos : 0 < IZR (mass_over c).
Proof. exact: IZR_lt. Qed.

Lemma fitted_mass (z : text (game_of V)) (y : label (game_of V)) :
  IZR (fitted c z y) / IZR (mass_over c) = mass p y z.
Proof.
rewrite /mass /fitted /mass_over !Pos2Z.inj_mul !(plus_IZR, mult_IZR) (Matrix.IZR_sum _ (seeds c)) ?size_mkseq //.
have W : forall i : 'I_(seeds c), nth 0%Z (mkseq (fun i => if label_at c i == y
  then whole (weights c) i * whole (p_row c i) z else 0) (seeds c))%Z i =
  (if lab (g := game_of V) i == y then whole (weights c) i * whole (p_row c i) z else 0)%Z.
{ by move=> i; rewrite nth_mkseq. }
set a := IZR (Zpos (denominator (weights c))). set b := IZR (Zpos (common (generator_table c))).
have [a0 b0] : 0 < a /\ 0 < b by split; exact: IZR_lt.
have -> : \rsum_(i : seed (game_of V)) (if lab i == y then rho i * p i z else 0) =
  (\rsum_(i : 'I_(seeds c)) IZR (nth 0%Z (mkseq (fun i => if label_at c i == y
    then whole (weights c) i * whole (p_row c i) z else 0) (seeds c))%Z i)) * / (a * b).
{ rewrite -rsum_scalr. apply: rsum_ext => i. rewrite W. case: eqP => _; last by rewrite Rmult_0_l.
  rewrite mult_IZR /= /generator_of /entry /p_row /=. rewrite -/a -/b. field. lra. }
rewrite /= /real_mass /real_row /entry /Q2R /=.
set s := \big[_/_]_(_ < _) _. set d := IZR (Zpos (common _)). set e := IZR (Zpos (Qden _)).
have [d0 e0] : 0 < d /\ 0 < e by split; exact: IZR_lt.
field. lra.
Qed.

(* The classifier's side: least losses of the texts' masses, less the generator's price. *)
Definition real_guaranteed : R :=
  (\rsum_(z : text (game_of V)) real_least_loss (floor c) (masses c z)) / IZR (mass_over c)
  - beta (game_of V) * divergence p ref.

Lemma encloses_guaranteed : in_support c -> encloses (guaranteed bits c) real_guaranteed.
Proof.
case/andP=> _ /belowP S. apply: encloses_minus.
- apply: encloses_over; last exact: encloses_integer. apply: encloses_total => z. exact: encloses_least_loss.
- apply: encloses_times; first exact: encloses_of_Q. apply: encloses_total => i.
  apply: encloses_times; first exact: encloses_value_of. apply: encloses_total => z.
  apply: encloses_divergence_term. case/andP: (S i) => _ /belowP /(_ z) /orP [/Z.eqb_eq|/Z.ltb_lt]; by [left|right].
Qed.

Lemma real_guaranteed_le q' : is_generator p -> class_of V q' -> real_guaranteed <= payoff p q'.
Proof.
move=> Hp Hq. have Aq := member_admissible _ _ Hq. case/class_ofP: Hq => [[q0 q1] [_ qf]].
have D := mass_over_pos. have F z y := fitted_mass z y.
rewrite /real_guaranteed /payoff loss_mean mean_mass. apply: Rplus_le_compat_r.
rewrite /Rdiv -rsum_scalr. apply: rsum_le => z.
apply: (Rle_trans _ ((\rsum_(y : 'I_(labels c)) (IZR (nth 0%Z (masses c z) y) * - ln (q' z y))) * / IZR (mass_over c))).
- apply: Rmult_le_compat_r; first by left; exact: Rinv_0_lt_compat.
  apply: least_loss_le => //; first by rewrite size_mkseq.
  + move=> y. case: (ltnP y (labels c)) => [lt|ge]; last by rewrite nth_default ?size_mkseq //; lia.
    rewrite nth_mkseq //. apply: le_IZR. have := F z (Ordinal lt) => /= E.
    have -> : IZR (fitted c z y) = mass p (Ordinal lt) z * IZR (mass_over c) by rewrite -E; field; lra.
    apply: Rmult_le_pos; last lra. exact: mass_ge0.
  + move=> y. rewrite nth_mkseq // => /IZR_lt M. apply: (proj2 (admissible_live q')) Aq _ _ _.
    apply: (mass_live p) => //. rewrite -F. exact: Rdiv_lt_0_compat.
- right. rewrite -rsum_scalr. apply: rsum_ext => y. rewrite nth_mkseq // -F. field. lra.
Qed.

Lemma encloses_conceded : encloses (conceded bits c) (step_constant 0 ref q).
Proof.
have L (F : nat -> nat -> interval) (y : 'I_(labels c)) (z : 'I_(texts c)) : look (tabulate c F) y z = F y z.
{ by rewrite /look /tabulate !nth_mkseq. }
have W (i : seed (game_of V)) (z : text (game_of V)) :
  weight 0 ref q i z = ref i z * exp (- ln (q z (lab i)) / beta (game_of V)).
{ have b := temperature_pos V. rewrite /weight. case: Rlt_dec => [H|N] /=.
  - rewrite -{3}(exp_ln (entry (reference c i) z)) // -exp_plus. congr (exp _). rewrite /=. field. lra.
  - case: (reference_ge0 V i z) => [/N //|<-]. ring. }
apply: encloses_plus; apply: encloses_total.
- move=> y. apply: encloses_total => z. apply: encloses_times; last first.
  { rewrite L. apply: encloses_negative. exact: encloses_log_of. }
  apply: encloses_times; [exact: encloses_of_Q|exact: encloses_value_of].
- move=> i. apply: encloses_times; first exact: encloses_value_of. rewrite Rplus_0_l.
  apply: encloses_times; first exact: encloses_of_Q. apply: encloses_log. apply: encloses_total => z.
  rewrite W. apply: encloses_times; first exact: encloses_value_of. rewrite !(L _ (label_ord V i)).
  apply: encloses_exp. apply: encloses_over; last exact: encloses_of_Q. apply: encloses_negative.
  exact: encloses_log_of.
Qed.
End Soundness.

Section Claims.
Context {bits : Z} {c : certificate}.
Variable V : is_game c.
Notation Q := (class_of V).
Notation p := (generator_of V).
Notation q := (classifier_of V).

Theorem check_sound : check bits c -> guarantees Q p (value c) /\ concedes Q q (value c + gap c).
Proof.
case/and4P=> S C low high. have Hp := in_support_generator V S. have Hq := in_class_member V C. split.
- split=> // q' Hq'. apply: Rle_trans (real_guaranteed_le V q' Hp Hq').
  exact: at_most_le low (encloses_of_Q _ _) (encloses_guaranteed V S).
- apply: concedes_admissible => //; first exact: temperature_pos. rewrite -Q2R_plus.
  exact: at_most_le high (encloses_conceded V) (encloses_of_Q _ _).
Qed.

Theorem check_gap : check bits c -> eps_nash Q p q (gap c).
Proof. move=> /check_sound [G C]. exact: bounds_eps_nash G C. Qed.

Theorem check_nash : check bits c -> forall p' q', nash Q p' q' -> value c <= payoff p' q' <= value c + gap c.
Proof. move=> /check_sound [G C] p' q'. exact: bounds_nash G C. Qed.
End Claims.
