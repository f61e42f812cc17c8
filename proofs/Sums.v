(* Finite sums of reals, and the least positive value of a finite function.

   \rsum_(i : T) f i == the sum of f over the finite type T; a big operator of mathcomp over the
                        reals of the standard library
   rsum_select i f   == the sum of f over the one index i is f i
   least_positive f  == some positive number is at most every positive f t                         *)
From mathcomp Require Import ssreflect ssrfun ssrbool eqtype ssrnat seq choice fintype bigop.
From Coq Require Import Reals Lra.
Open Scope R_scope.

Lemma addRA : associative Rplus. Proof. move=> a b c; ring. Qed.
Lemma add0R : left_id 0 Rplus. Proof. move=> a; ring. Qed.
Lemma addR0 : right_id 0 Rplus. Proof. move=> a; ring. Qed.
Lemma addRC : commutative Rplus. Proof. move=> a b; ring. Qed.
Lemma mul0R : left_zero 0 Rmult. Proof. move=> a; ring. Qed.
Lemma mulR0 : right_zero 0 Rmult. Proof. move=> a; ring. Qed.
Lemma mulRDl : left_distributive Rmult Rplus. Proof. move=> a b c; ring. Qed.
Lemma mulRDr : right_distributive Rmult Rplus. Proof. move=> a b c; ring. Qed.
Canonical Rplus_monoid := Monoid.Law addRA add0R addR0.
Canonical Rplus_comoid := Monoid.ComLaw addRC.
Canonical Rmult_muloid := Monoid.MulLaw mul0R mulR0.
Canonical Rplus_addoid := Monoid.AddLaw mulRDl mulRDr.

Notation "'\rsum_' ( i : T ) F" := (\big[Rplus/0]_(i : T) F)
  (at level 41, F at level 41, i, T at level 50, format "'[' \rsum_ ( i  :  T ) '/  '  F ']'").

Section Sums.
Variable T : finType.
Implicit Types f g : T -> R.

Lemma rsum_ext f g : (forall i, f i = g i) -> \rsum_(i : T) f i = \rsum_(i : T) g i.
Proof. move=> H; exact: eq_bigr. Qed.

Lemma rsum_le f g : (forall i, f i <= g i) -> \rsum_(i : T) f i <= \rsum_(i : T) g i.
Proof. move=> H. elim/big_ind2: _ => [|a b c d ? ?|i _]; [lra|lra|exact: H]. Qed.

Lemma rsum_ge0 f : (forall i, 0 <= f i) -> 0 <= \rsum_(i : T) f i.
Proof. move=> H. elim/big_ind: _ => [|a b ? ?|i _]; [lra|lra|exact: H]. Qed.

Lemma rsum_add f g : \rsum_(i : T) (f i + g i) = \rsum_(i : T) f i + \rsum_(i : T) g i.
Proof. exact: big_split. Qed.

Lemma rsum_scal c f : \rsum_(i : T) (c * f i) = c * \rsum_(i : T) f i.
Proof. by rewrite big_distrr. Qed.

Lemma rsum_scalr c f : \rsum_(i : T) (f i * c) = (\rsum_(i : T) f i) * c.
Proof. by rewrite big_distrl. Qed.

Lemma rsum_sub f g : \rsum_(i : T) (f i - g i) = \rsum_(i : T) f i - \rsum_(i : T) g i.
Proof.
rewrite (rsum_ext (fun i => f i - g i) (fun i => f i + (-1) * g i)); last by move=> i; ring.
rewrite rsum_add rsum_scal; ring.
Qed.

Lemma rsum_single_le f i : (forall j, 0 <= f j) -> f i <= \rsum_(j : T) f j.
Proof.
move=> H. rewrite (bigD1 i) //=. have : 0 <= \big[Rplus/0]_(j | j != i) f j; last lra.
elim/big_ind: _ => [|a b ? ?|j _]; [lra|lra|exact: H].
Qed.

Lemma rsum_gt0 f i : (forall j, 0 <= f j) -> 0 < f i -> 0 < \rsum_(j : T) f j.
Proof. move=> H Hi. have := rsum_single_le f i H. lra. Qed.

Lemma rsum_eq0 f : (forall j, 0 <= f j) -> \rsum_(j : T) f j = 0 -> forall i, f i = 0.
Proof. move=> H E i. have := rsum_single_le f i H. have := H i. lra. Qed.

Lemma rsum_abs f : Rabs (\rsum_(i : T) f i) <= \rsum_(i : T) Rabs (f i).
Proof.
elim/big_ind2: _ => [|a b c d H1 H2|i _]; [rewrite Rabs_R0; lra| |lra].
have := Rabs_triang b d; lra.
Qed.

Lemma rsum_gt0_ex f : 0 < \rsum_(i : T) f i -> exists i, 0 < f i.
Proof.
elim/big_ind: _ => [|a b IHa IHb H|i _]; [lra| |by exists i].
case: (Rlt_le_dec 0 a) => Ha; first exact: IHa. apply: IHb; lra.
Qed.

Lemma rsum_eq_le f g : (forall i, f i <= g i) -> \rsum_(i : T) f i = \rsum_(i : T) g i -> forall i, f i = g i.
Proof.
move=> L E i. have P j : 0 <= g j - f j by have := L j; lra.
have := rsum_eq0 _ P _ i. rewrite rsum_sub E. lra.
Qed.

Lemma rsum_two f i j : (forall k, 0 <= f k) -> i != j -> f i + f j <= \rsum_(k : T) f k.
Proof.
move=> H ij. rewrite (bigD1 i) //= (bigD1 j) //=; last by rewrite eq_sym.
set S := \big[Rplus/0]_(k | _) _. suff : 0 <= S by lra.
rewrite /S; elim/big_ind: _ => [|a b ? ?|k _]; [lra|lra|exact: H].
Qed.

Lemma rsum_select i f : \rsum_(j : T) (if i == j then f j else 0) = f i.
Proof. rewrite -big_mkcond (eq_bigl (pred1 i)) ?big_pred1_eq // => j; exact: eq_sym. Qed.

Lemma rsum_mul f g : (\rsum_(i : T) f i) * (\rsum_(j : T) g j) = \rsum_(i : T) \rsum_(j : T) (f i * g j).
Proof. rewrite -rsum_scalr; apply: rsum_ext => i; by rewrite rsum_scal. Qed.

Lemma rsum_0 : \rsum_(i : T) (0 : R) = 0.
Proof. by rewrite big1. Qed.

Lemma rsum_const c : \rsum_(i : T) c = INR #|T| * c.
Proof.
rewrite big_const. elim: #|T| => [|n IH]; first by rewrite /=; ring.
rewrite iterS IH S_INR; ring.
Qed.
End Sums.

Lemma rsum_swap (S T : finType) (f : S -> T -> R) :
  \rsum_(i : S) \rsum_(j : T) f i j = \rsum_(j : T) \rsum_(i : S) f i j.
Proof. exact: exchange_big. Qed.

Lemma rsum_pair (S T : finType) (f : S * T -> R) :
  \rsum_(i : prod_finType S T) f i = \rsum_(s : S) \rsum_(t : T) f (s, t).
Proof. by rewrite pair_big; apply: eq_bigr => -[]. Qed.

Lemma rsum_bool (f : bool -> R) : \rsum_(b : bool) f b = f true + f false.
Proof. by rewrite /index_enum; case: index_enum_key; rewrite /= !unlock /= ; ring. Qed.

(* The smallest positive value of a function on a finite type. *)
Lemma least_positive (T : finType) (f : T -> R) : exists m, 0 < m /\ forall t, 0 < f t -> m <= f t.
Proof.
suff [m [P H]] : exists m, 0 < m /\ forall t, t \in enum T -> 0 < f t -> m <= f t.
{ exists m. split=> // t. apply: H. by rewrite mem_enum. }
elim: (enum T) => [|t s [m [P H]]]; first by exists 1; split; [lra|].
case: (Rlt_dec 0 (f t)) => F.
- exists (Rmin m (f t)). split; first exact: Rmin_pos. move=> u.
  rewrite in_cons => /orP [/eqP ->|Hu] Pu; first exact: Rmin_r.
  apply: Rle_trans (H u Hu Pu). exact: Rmin_l.
- exists m. split=> // u. rewrite in_cons => /orP [/eqP ->|Hu] Pu; [lra|exact: H].
Qed.

Lemma least_positive2 (S T : finType) (f : S -> T -> R) : exists m, 0 < m /\ forall s t, 0 < f s t -> m <= f s t.
Proof.
have [m [P H]] := least_positive _ (fun st : S * T => f st.1 st.2). exists m. split=> // s t F. exact: (H (s, t) F).
Qed.
