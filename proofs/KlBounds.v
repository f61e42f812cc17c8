(* Enclosures of real numbers, computed.  What the checkers of certificates with KL terms share.

   The interval arithmetic is coq-interval's, over floating-point numbers whose mantissas and exponents are
   Coq's own integers: no primitive integers or floats.  `bits` is the precision of the mantissas.

   encloses i x        == the real number x lies in the interval i
   total n F           == encloses the sum over k < n of what the F k enclose
   quotient a b        == encloses the fraction a / b
   log_quotient a b    == encloses ln (a / b)
   fractions           == a vector of integers over a common positive denominator; entry v k is the real v_k
   table               == a matrix of such; cell t i j is the real t_ij
   distribution n v    == v has n entries, none negative, and they sum to 1
   of_Q q              == encloses the rational q
   divergence_term     == encloses p_k ln (p_k / r_k), a term of KL(p || r)
   value_of v k, log_of v k == enclose v_k and ln v_k
   below n P           == P k for every k < n
   at_most i j         == no number in i exceeds any number in j                                         *)
From Coq Require Import ZArith QArith Qreals Reals Lra.
From mathcomp Require Import ssreflect ssrfun ssrbool eqtype ssrnat seq choice fintype bigop.
From Interval Require Import Interval.Float_full Float.Specific_ops Float.Specific_stdz Real.Xreal.
From Interval Require Interval.Interval.
From Nashguard Require Import Sums.
Open Scope R_scope.

Module Float := SpecificFloat StdZRadix2.
Module Arithmetic := FloatIntervalFull Float.

Notation interval := Arithmetic.type.

Definition encloses (i : interval) (x : R) := Interval.contains (Arithmetic.convert i) (Xreal x).

(** * Arithmetic *)

Section Enclosures.
Variable bits : Z.
Implicit Types (i j : interval) (x y : R).

Definition zero : interval := Arithmetic.zero.
Definition integer (a : Z) : interval := Arithmetic.fromZ bits a.
Definition plus i j : interval := Arithmetic.add bits i j.
Definition minus i j : interval := Arithmetic.sub bits i j.
Definition times i j : interval := Arithmetic.mul bits i j.
Definition over i j : interval := Arithmetic.div bits i j.
Definition negative i : interval := Arithmetic.neg i.
Definition log i : interval := Arithmetic.ln bits i.
Definition power_of_e i : interval := Arithmetic.exp bits i.

Lemma encloses_zero : encloses zero 0.
Proof. rewrite /encloses /zero Arithmetic.zero_correct /=. lra. Qed.

Lemma encloses_integer a : encloses (integer a) (IZR a).
Proof. exact: Arithmetic.fromZ_correct. Qed.

Lemma encloses_plus i j x y : encloses i x -> encloses j y -> encloses (plus i j) (x + y).
Proof. exact: Arithmetic.add_correct. Qed.

Lemma encloses_minus i j x y : encloses i x -> encloses j y -> encloses (minus i j) (x - y).
Proof. exact: Arithmetic.sub_correct. Qed.

Lemma encloses_times i j x y : encloses i x -> encloses j y -> encloses (times i j) (x * y).
Proof. exact: Arithmetic.mul_correct. Qed.

Lemma encloses_negative i x : encloses i x -> encloses (negative i) (- x).
Proof. exact: Arithmetic.neg_correct. Qed.

Lemma encloses_exp i x : encloses i x -> encloses (power_of_e i) (exp x).
Proof. exact: Arithmetic.exp_correct. Qed.

(* Where an operation is not defined, the library's interval is the whole line. *)
Lemma encloses_any i x : Interval.contains (Arithmetic.convert i) Xnan -> encloses i x.
Proof. by rewrite /encloses; case: (Arithmetic.convert i). Qed.

Lemma encloses_over i j x y : encloses i x -> encloses j y -> encloses (over i j) (x / y).
Proof.
move=> Hi Hj. have := Arithmetic.div_correct bits _ _ _ _ Hi Hj. rewrite /= /Xdiv'.
by case: is_zero => // H; apply: encloses_any.
Qed.

Lemma encloses_log i x : encloses i x -> encloses (log i) (ln x).
Proof.
move=> Hi. have := Arithmetic.ln_correct bits _ _ Hi. rewrite /= /Xln'.
by case: is_positive => // H; apply: encloses_any.
Qed.

Definition at_most i j : bool :=
  match Arithmetic.sign_large (minus j i) with Xeq | Xgt => true | _ => false end.

Lemma at_most_le i j x y : at_most i j -> encloses i x -> encloses j y -> x <= y.
Proof.
rewrite /at_most => + Hi Hj. have D := encloses_minus _ _ _ _ Hj Hi.
have := Arithmetic.sign_large_correct (minus j i).
by case: Arithmetic.sign_large => // H _; have := H _ D; [case|case=> _ /=]; lra.
Qed.

Fixpoint total (n : nat) (F : nat -> interval) : interval :=
  if n is n'.+1 then plus (F 0%nat) (total n' (fun k => F k.+1)) else zero.

Lemma encloses_total n (F : nat -> interval) (f : 'I_n -> R) :
  (forall k : 'I_n, encloses (F k) (f k)) -> encloses (total n F) (\rsum_(k : 'I_n) f k).
Proof.
elim: n F f => [|n IH] F f H; first by rewrite big_ord0; exact: encloses_zero.
rewrite big_ord_recl. apply: encloses_plus; first exact: (H ord0).
by apply: IH => k; have := H (lift ord0 k); rewrite lift0.
Qed.

Definition quotient (a b : Z) : interval := over (integer a) (integer b).

Lemma encloses_quotient a b : encloses (quotient a b) (IZR a / IZR b).
Proof. apply: encloses_over; exact: encloses_integer. Qed.

(* The standard library's ln is 0 where there is no logarithm. *)
Definition log_quotient (a b : Z) : interval := if (0 <? a)%Z then log (quotient a b) else zero.

Lemma encloses_log_quotient a b : (0 < b)%Z -> encloses (log_quotient a b) (ln (IZR a / IZR b)).
Proof.
move=> /IZR_lt b0. rewrite /log_quotient. case: Z.ltb_spec => [_|/IZR_le a0].
- apply: encloses_log; exact: encloses_quotient.
- rewrite /ln. case: Rlt_dec => [H|_]; last exact: encloses_zero.
  have := Rmult_lt_0_compat _ _ H b0. have -> : IZR a / IZR b * IZR b = IZR a by field; lra. lra.
Qed.

Definition of_Q (q : Q) : interval := quotient (Qnum q) (Zpos (Qden q)).

Lemma encloses_of_Q q : encloses (of_Q q) (Q2R q).
Proof. exact: encloses_quotient. Qed.
End Enclosures.

Lemma Q2R_ge0 (q : Q) : (0 <=? Qnum q)%Z -> 0 <= Q2R q.
Proof.
move=> /Z.leb_le /IZR_le H. apply: Rmult_le_pos => //. left; apply: Rinv_0_lt_compat; exact: IZR_lt.
Qed.

Lemma Q2R_gt0 (q : Q) : (0 <? Qnum q)%Z -> 0 < Q2R q.
Proof.
move=> /Z.ltb_lt H. apply: Rmult_lt_0_compat; first exact: IZR_lt. apply: Rinv_0_lt_compat; exact: IZR_lt.
Qed.

Definition below (n : nat) (P : nat -> bool) := all P (iota 0 n).

Lemma belowP n P : below n P -> forall i : 'I_n, P i.
Proof. by move=> /allP H i; apply: H; rewrite mem_iota ltn_ord. Qed.

(** * Vectors and tables of rationals *)

Record fractions := Fractions { denominator : positive; numerators : seq Z }.
Record table := Table { common : positive; rows : seq (seq Z) }.

Definition whole (v : fractions) (k : nat) : Z := nth 0%Z (numerators v) k.
Definition entry (v : fractions) (k : nat) : R := IZR (whole v k) / IZR (Zpos (denominator v)).
Definition row (t : table) (i : nat) : fractions := Fractions (common t) (nth [::] (rows t) i).
Definition cell (t : table) (i j : nat) : R := entry (row t i) j.

Definition sum (u : seq Z) : Z := foldr Z.add 0%Z u.

Definition distribution (n : nat) (v : fractions) : bool :=
  [&& size (numerators v) == n, all (Z.leb 0) (numerators v) & Z.eqb (sum (numerators v)) (Zpos (denominator v))].

Lemma IZR_sum (u : seq Z) n : size u = n -> IZR (sum u) = \rsum_(i : 'I_n) IZR (nth 0%Z u i).
Proof.
move=> <-. elim: u => [|a u IH]; first by rewrite big_ord0.
by rewrite big_ord_recl /= plus_IZR IH.
Qed.

Lemma denominator_pos v : 0 < IZR (Zpos (denominator v)).
Proof. exact: IZR_lt. Qed.

Lemma entry_ge0 v k : all (Z.leb 0) (numerators v) -> 0 <= entry v k.
Proof.
move=> H. apply: Rmult_le_pos; last by left; apply: Rinv_0_lt_compat; exact: denominator_pos.
apply: IZR_le. rewrite /whole. case: (ltnP k (size (numerators v))) => [lt|ge]; last by rewrite nth_default.
by apply/Z.leb_le; apply: (all_nthP 0%Z H).
Qed.

Lemma entry_pos v k : (0 < whole v k)%Z -> 0 < entry v k.
Proof. move=> H. apply: Rdiv_lt_0_compat; [exact: IZR_lt|exact: denominator_pos]. Qed.

Lemma entry_0 v k : whole v k = 0%Z -> entry v k = 0.
Proof. by rewrite /entry => ->; rewrite /Rdiv Rmult_0_l. Qed.

Lemma entry_eq0 v k : entry v k = 0 -> whole v k = 0%Z.
Proof.
have := denominator_pos v => D H. apply: eq_IZR.
have -> : IZR (whole v k) = entry v k * IZR (Zpos (denominator v)) by rewrite /entry; field; lra.
rewrite H; ring.
Qed.

Lemma entry_gt0 v k : 0 < entry v k -> (0 < whole v k)%Z.
Proof.
have := denominator_pos v => D H. apply: lt_IZR.
have -> : IZR (whole v k) = entry v k * IZR (Zpos (denominator v)) by rewrite /entry; field; lra.
exact: Rmult_lt_0_compat.
Qed.

Lemma distribution_ge0 n v k : distribution n v -> 0 <= entry v k.
Proof. by case/and3P=> _ H _; exact: entry_ge0. Qed.

Lemma distribution_1 n v : distribution n v -> \rsum_(k : 'I_n) entry v k = 1.
Proof.
case/and3P=> /eqP sv _ /Z.eqb_eq E. have := denominator_pos v => D.
rewrite /entry rsum_scalr -(IZR_sum _ _ sv) E; field; lra.
Qed.

(** * Terms of a divergence *)

Section Terms.
Variable bits : Z.

Definition value_of (v : fractions) (k : nat) : interval := quotient bits (whole v k) (Zpos (denominator v)).

Lemma encloses_value_of v k : encloses (value_of v k) (entry v k).
Proof. exact: encloses_quotient. Qed.

Definition log_of (v : fractions) (k : nat) : interval := log_quotient bits (whole v k) (Zpos (denominator v)).

Lemma encloses_log_of v k : encloses (log_of v k) (ln (entry v k)).
Proof. exact: encloses_log_quotient. Qed.

Definition divergence_term (p r : fractions) (k : nat) : interval :=
  if Z.eqb (whole p k) 0 then zero else
  times bits (value_of p k) (log_quotient bits (whole p k * Zpos (denominator r)) (whole r k * Zpos (denominator p))).

Lemma encloses_divergence_term p r k : (whole p k = 0%Z \/ (0 < whole r k)%Z) ->
  encloses (divergence_term p r k) (entry p k * ln (entry p k / entry r k)).
Proof.
rewrite /divergence_term. case: Z.eqb_spec => [E _|N [//|r0]].
- rewrite (entry_0 p k E) Rmult_0_l. exact: encloses_zero.
- apply: encloses_times; first exact: encloses_value_of.
  have -> : entry p k / entry r k = IZR (whole p k * Zpos (denominator r)) / IZR (whole r k * Zpos (denominator p)).
  { rewrite !mult_IZR /entry. have := IZR_lt _ _ r0. have := denominator_pos p. have := denominator_pos r.
    move=> A B C. field. lra. }
  apply: encloses_log_quotient. exact: Z.mul_pos_pos.
Qed.
End Terms.
