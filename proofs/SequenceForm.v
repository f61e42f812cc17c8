(* Extensive games of perfect recall in sequence form, and a checker of certified equilibria: the Coq side of
   src/certificate/extensive.rs. The checker computes with integers; what it accepts is proved about real plans.
   The generated files of certs/ apply the theorems below to a game and a certificate that the program wrote.
   (The definitions and the backward induction are standard and have no number in theory/convergence.md.)

   Definitions
     infoset           == an information set: the player's sequence that leads to it, and how many actions it has
     entry             == what the row player gets at the leaves with these two sequences, times their probability by
                          chance; several entries of one pair add up
     game              == both players' information sets, and the entries over a common denominator. A player's
                          sequences are numbered from 0, the empty one, then the actions of its first set, and so on
     sequences sets    == how many sequences that makes
     plan sets p       == p is a realisation plan: not negative, 1 at the empty sequence, and the sequences of a set
                          sum to its parent
     payoff g x y      == what the row player gets, and the column player pays, when these plans meet
     guarantees g x v  == the plan x gets at least v against every plan
     holds_to g y v    == against the plan y no plan gets more than v
     equilibrium g x y == neither player gains by another plan
     value_of g v      == some equilibrium of g pays v
     gap_at_most g x y e == what the players gain by their best replies adds up to at most e (the sum, not its half)
     certificate       == a game, a plan of each player over a common denominator, and what they are claimed to do
     plan_of f         == the real plan that these fractions write down
     check c           == the checker: one pass over the entries and one backward pass over the sets, a player

   Theorems
     value_unique      == a game has at most one value
     check_sound       == if check c = true, the row plan guarantees the value, and the column plan holds its opponent
                          to the value plus the gap
     check_gap         == if check c = true, the regrets add up to at most the gap
     check_exact       == with gap 0 the plans are an equilibrium that pays exactly the value
     check_value       == with gap 0 the value is the game's                                                         *)
From Coq Require Import ZArith QArith Qreals FMapPositive Reals Lra Lia.
From mathcomp Require Import ssreflect ssrfun ssrbool eqtype ssrnat seq bigop.
From Nashguard Require Import Sums.
Open Scope R_scope.

(** * Games and plans *)

Record infoset := Infoset { parent : N; actions : nat }.
Record entry := Entry { row : N; column : N; amount : Z }.
Record game := Game { rows : seq infoset; columns : seq infoset; entries : seq entry; over : positive }.

Definition own_sequences (sets : seq infoset) : nat := sumn [seq actions h | h <- sets].
Definition sequences (sets : seq infoset) : nat := (own_sequences sets).+1.

(* In each set, the first of which owns the sequences from `first` on, they sum to the parent. *)
Fixpoint splits (first : nat) (sets : seq infoset) (p : nat -> R) : Prop :=
  if sets is h :: rest then
    \big[Rplus/0]_(first <= s < first + actions h) p s = p (parent h) /\ splits (first + actions h) rest p
  else True.

Definition plan (sets : seq infoset) (p : nat -> R) : Prop :=
  [/\ p 0%N = 1, forall s, (s < sequences sets)%N -> 0 <= p s & splits 1 sets p].

Definition payoff (g : game) (x y : nat -> R) : R :=
  (\big[Rplus/0]_(e <- entries g) (IZR (amount e) * x (row e) * y (column e))) / IZR (Zpos (over g)).

Definition guarantees (g : game) (x : nat -> R) (v : R) : Prop :=
  plan (rows g) x /\ forall y, plan (columns g) y -> v <= payoff g x y.

Definition holds_to (g : game) (y : nat -> R) (v : R) : Prop :=
  plan (columns g) y /\ forall x, plan (rows g) x -> payoff g x y <= v.

Definition equilibrium (g : game) (x y : nat -> R) : Prop :=
  guarantees g x (payoff g x y) /\ holds_to g y (payoff g x y).

Definition value_of (g : game) (v : R) : Prop := exists x y, equilibrium g x y /\ payoff g x y = v.

Definition gap_at_most (g : game) (x y : nat -> R) (e : R) : Prop :=
  forall x' y', plan (rows g) x' -> plan (columns g) y' ->
  (payoff g x' y - payoff g x y) + (payoff g x y - payoff g x y') <= e.

Theorem value_unique g v w : value_of g v -> value_of g w -> v = w.
Proof.
move=> [x [y [[[px gx] [py hy]] <-]]] [x' [y' [[[px' gx'] [py' hy']] <-]]].
have := gx y' py'; have := hy x' px'; have := gx' y py; have := hy' x px; lra.
Qed.

(** * Certificates and their checker *)

Record fractions := Fractions { numerators : seq Z; denominator : positive }.
Record certificate :=
  Certificate { of_game : game; row_plan : fractions; column_plan : fractions; value : Q; gap : Q }.

Definition plan_of (f : fractions) (s : nat) : R := IZR (nth 0%Z (numerators f) s) / IZR (Zpos (denominator f)).

(* One integer a sequence, 0 where nothing was added. *)
Definition table := PositiveMap.t Z.
Definition empty : table := PositiveMap.empty Z.
Definition lookup (t : table) (s : N) : Z := if PositiveMap.find (N.succ_pos s) t is Some v then v else 0%Z.
Definition add_to (t : table) (s : N) (v : Z) : table := PositiveMap.add (N.succ_pos s) (lookup t s + v)%Z t.

Fixpoint table_from (s : N) (l : seq Z) : table :=
  if l is v :: l' then add_to (table_from (N.succ s) l') s v else empty.

(* The integers at n sequences from `first` on. *)
Fixpoint slice (t : table) (first : N) (n : nat) : seq Z :=
  if n is n'.+1 then lookup t first :: slice t (N.succ first) n' else [::].

Definition after (first : N) (h : infoset) : N := (first + bin_of_nat (actions h))%num.

Fixpoint splits_check (first : N) (sets : seq infoset) (t : table) : bool :=
  if sets is h :: rest then
    (foldr Z.add 0 (slice t first (actions h)) =? lookup t (parent h))%Z && splits_check (after first h) rest t
  else true.

Definition plan_check (sets : seq infoset) (f : fractions) : bool :=
  [&& (nth 0 (numerators f) 0 =? Zpos (denominator f))%Z, all (Z.leb 0) (numerators f),
      size (numerators f) == sequences sets & splits_check 1 sets (table_from 0 (numerators f))].

(* Each set has an action, and comes after the sequence that leads to it. *)
Fixpoint ordered (first : N) (sets : seq infoset) : bool :=
  if sets is h :: rest then
    [&& (parent h <? first)%num, (0 < actions h)%N & ordered (after first h) rest]
  else true.

Definition game_check (g : game) : bool :=
  let m := bin_of_nat (sequences (rows g)) in
  let n := bin_of_nat (sequences (columns g)) in
  [&& ordered 1 (rows g), ordered 1 (columns g)
    & all (fun e => (row e <? m)%num && (column e <? n)%num) (entries g)].

(* What each sequence of the row player earns against the opponent's numerators. *)
Definition earnings (l : seq entry) (opponent : table) : table :=
  foldr (fun e t => add_to t (row e) (amount e * lookup opponent (column e))) empty l.

Definition maximum (l : seq Z) : Z := if l is v :: l' then foldr Z.max v l' else 0%Z.

(* Every set, last to first, hands the worth of its best action to its parent. *)
Fixpoint backward (first : N) (sets : seq infoset) (worth : table) : table :=
  if sets is h :: rest then
    let t := backward (after first h) rest worth in
    add_to t (parent h) (maximum (slice t first (actions h)))
  else worth.

(* The most that the row player gets against the column player's fractions. *)
Definition best_reply (g : game) (f : fractions) : Q :=
  lookup (backward 1 (rows g) (earnings (entries g) (table_from 0 (numerators f)))) 0 # (over g * denominator f).

(* The game as the column player sees it. *)
Definition mirror (g : game) : game :=
  Game (columns g) (rows g) [seq Entry (column e) (row e) (- amount e) | e <- entries g] (over g).

Definition check (c : certificate) : bool :=
  let g := of_game c in
  [&& game_check g, plan_check (rows g) (row_plan c), plan_check (columns g) (column_plan c),
      Qle_bool (value c) (- best_reply (mirror g) (row_plan c))
    & Qle_bool (best_reply g (column_plan c)) (value c + gap c)].

(** * Tables *)

Lemma nat_succ (s : N) : N.succ s = s.+1 :> nat.
Proof. by rewrite -N.add_1_r nat_of_add_bin addn1. Qed.

Lemma nat_after first h : after first h = (first + actions h)%N :> nat.
Proof. by rewrite nat_of_add_bin bin_of_natK. Qed.

Lemma nat_ltb (a b : N) : (a <? b)%num = (a < b)%N.
Proof.
apply/N.ltb_spec0/idP => [lt|].
- have -> : b = (a + N.succ (N.pred (b - a)))%num by lia.
  by rewrite nat_of_add_bin nat_succ -addSnnS leq_addr.
- rewrite ltnNge => /negP no; apply/N.nle_gt => le; apply: no.
  have -> : a = (b + (a - b))%num by lia.
  by rewrite nat_of_add_bin leq_addr.
Qed.

(* The table at a sequence, as a real; and weighed with a plan. *)
Definition entry_at (t : table) (s : nat) : R := IZR (lookup t (bin_of_nat s)).
Definition weighed (t : table) (n : nat) (p : nat -> R) : R := \big[Rplus/0]_(0 <= s < n) (entry_at t s * p s).

Lemma entry_at_bin t (s : N) : entry_at t s = IZR (lookup t s).
Proof. by rewrite /entry_at nat_of_binK. Qed.

Lemma entry_at_empty s : entry_at empty s = 0.
Proof. by rewrite /entry_at /lookup PositiveMap.gempty. Qed.

Lemma entry_at_add t (s : N) v u : entry_at (add_to t s v) u = entry_at t u + (if s == u :> nat then IZR v else 0).
Proof.
rewrite /entry_at /add_to {1}/lookup; case: eqP => [<-|ne].
- by rewrite nat_of_binK PositiveMap.gss plus_IZR.
- rewrite PositiveMap.gso; first by rewrite Rplus_0_r.
  move=> eq; apply: ne; have := bin_of_natK u.
  by rewrite -(N.pos_pred_succ (bin_of_nat u)) eq N.pos_pred_succ.
Qed.

Lemma weighed_add t (s : N) v n p : (s < n)%N -> weighed (add_to t s v) n p = weighed t n p + IZR v * p s.
Proof.
move=> lt; rewrite /weighed.
under eq_bigr => u _ do rewrite entry_at_add Rmult_plus_distr_r.
rewrite big_split /=; congr (_ + _).
rewrite (bigD1_seq (s : nat)) /= ?eqxx ?mem_index_iota ?iota_uniq //.
rewrite big1 ?Rplus_0_r // => u ne; rewrite eq_sym (negbTE ne); ring.
Qed.

Lemma entry_at_table (s : N) l u : entry_at (table_from s l) u = if (u < s)%N then 0 else IZR (nth 0%Z l (u - s)).
Proof.
elim: l s => [|v l IH] s /=; first by rewrite entry_at_empty nth_nil; case: ifP.
rewrite entry_at_add IH nat_succ ltnS; case: (ltngtP u s) => [lt|gt|<-] /=; try ring.
- by rewrite -(subnSK gt) /= Rplus_0_r.
- by rewrite subnn /= Rplus_0_l.
Qed.

Lemma slice_map t (first : N) n : slice t first n = [seq lookup t (bin_of_nat s) | s <- iota first n].
Proof. by elim: n first => //= n IH first; rewrite nat_of_binK IH nat_succ. Qed.

Lemma range_iota first n : index_iota first (first + n) = iota first n.
Proof. by rewrite /index_iota addKn. Qed.

Lemma sum_IZR (T : Type) (f : T -> Z) l :
  IZR (foldr Z.add 0%Z [seq f i | i <- l]) = \big[Rplus/0]_(i <- l) IZR (f i).
Proof. by elim: l => [|i l IH] /=; rewrite ?big_nil // big_cons plus_IZR IH. Qed.

Lemma maximum_ge (T : eqType) (f : T -> Z) l i : i \in l -> (f i <= maximum [seq f j | j <- l])%Z.
Proof.
case: l => //= k l; rewrite in_cons => /orP [/eqP ->|]; first by elim: l => /= [|j l IH]; lia.
elim: l => //= j l IH; rewrite in_cons => /orP [/eqP ->|/IH]; lia.
Qed.

(** * What the checks mean *)

Lemma splits_check_sound (first : N) sets t p d :
  (forall s, p s = entry_at t s / d) -> splits_check first sets t -> splits first sets p.
Proof.
move=> def; elim: sets first => //= h rest IH first /andP [/Z.eqb_spec sum /IH].
rewrite nat_after => ok; split => //.
rewrite range_iota (eq_bigr _ (fun s _ => def s)) def entry_at_bin -sum slice_map sum_IZR.
by rewrite /Rdiv big_distrl.
Qed.

Lemma plan_of_table f s : plan_of f s = entry_at (table_from 0 (numerators f)) s / IZR (Zpos (denominator f)).
Proof. by rewrite entry_at_table subn0. Qed.

Lemma pos_gt0 d : 0 < IZR (Zpos d).
Proof. exact: IZR_lt. Qed.

Lemma plan_check_sound sets f : plan_check sets f -> plan sets (plan_of f).
Proof.
move=> /and4P [/Z.eqb_spec one pos _ ok]; have d0 := pos_gt0 (denominator f); split.
- rewrite /plan_of one; apply: Rinv_r; lra.
- move=> s _; apply: Rmult_le_pos; last by apply/Rlt_le/Rinv_0_lt_compat.
  apply: IZR_le; elim: (numerators f) s pos {one ok} => [|v l IH] [|s] //= /andP [v0 l0]; last exact: IH.
  exact: Zle_bool_imp_le.
- exact: (splits_check_sound 1 sets _ _ _ (plan_of_table f) ok).
Qed.

(* One set: its sequences are worth at most its best one's worth times the plan of its parent. *)
Lemma maximum_bound t (first : N) n p : (forall s, (first <= s < first + n)%N -> 0 <= p s) ->
  \big[Rplus/0]_(first <= s < first + n) (entry_at t s * p s) <=
  IZR (maximum (slice t first n)) * \big[Rplus/0]_(first <= s < first + n) p s.
Proof.
move=> p0; rewrite big_distrr /= !big_nat; elim/big_ind2: _ => [|a b c d ? ?|s ss]; [lra|lra|].
apply: Rmult_le_compat_r; first exact: p0.
apply: IZR_le; rewrite slice_map; apply: (maximum_ge _ (fun s => lookup t (bin_of_nat s))).
by rewrite mem_iota.
Qed.

(* Backward induction: no plan makes more of the worths than it makes of what `backward` leaves of them. *)
Lemma backward_bound (first : N) sets t p : ordered first sets -> splits first sets p ->
  (forall s, (s < first + own_sequences sets)%N -> 0 <= p s) ->
  weighed t (first + own_sequences sets) p <= weighed (backward first sets t) first p.
Proof.
elim: sets first => [|h rest IH] first /=; first by rewrite addn0; lra.
rewrite nat_ltb => /and3P [before some ord] [sum spl]; rewrite /own_sequences /= addnA => p0.
have := IH (after first h) ord; rewrite nat_after => /(_ spl p0) le.
rewrite weighed_add //; apply: (Rle_trans _ _ _ le).
rewrite -sum {1}/weighed (@big_cat_nat _ _ _ first) ?leq_addr //=.
apply: Rplus_le_compat_l; apply: maximum_bound => s /andP [_ lt].
by apply: p0; apply: (leq_trans lt); rewrite leq_addr.
Qed.

Lemma weighed_earnings l y n p : all (fun e => row e < n)%N l ->
  weighed (earnings l y) n p =
  \big[Rplus/0]_(e <- l) (IZR (amount e) * p (row e) * entry_at y (column e)).
Proof.
elim: l => [|e l IH] /=.
- by rewrite big_nil /weighed big1 // => s _; rewrite entry_at_empty Rmult_0_l.
- move=> /andP [e_lt l_lt]; rewrite weighed_add // IH // big_cons mult_IZR entry_at_bin; ring.
Qed.

Lemma best_reply_sound g f p : ordered 1 (rows g) -> all (fun e => row e < sequences (rows g))%N (entries g) ->
  plan (rows g) p -> payoff g p (plan_of f) <= Q2R (best_reply g f).
Proof.
move=> ord exist [p0 pos spl]; have d0 := pos_gt0 (denominator f); have o0 := pos_gt0 (over g).
set y := table_from 0 (numerators f).
have -> : payoff g p (plan_of f) = weighed (earnings (entries g) y) (sequences (rows g)) p
                                   / IZR (Zpos (over g * denominator f)).
  rewrite weighed_earnings // Pos2Z.inj_mul mult_IZR /payoff.
  under eq_bigr => e _ do rewrite plan_of_table /Rdiv -Rmult_assoc.
  rewrite -big_distrl /= -/y; field; lra.
apply: Rmult_le_compat_r; first by apply/Rlt_le/Rinv_0_lt_compat/pos_gt0.
apply: (Rle_trans _ _ _ (backward_bound 1 _ _ _ ord spl pos)).
rewrite /weighed big_nat1 p0 Rmult_1_r; exact: Rle_refl.
Qed.

Lemma payoff_mirror g x y : payoff (mirror g) y x = - payoff g x y.
Proof.
rewrite /payoff big_map -Ropp_div; congr (_ / _).
elim: (entries g) => [|e l IH]; first by rewrite !big_nil; ring.
rewrite !big_cons IH /= opp_IZR; ring.
Qed.

Lemma Qle_real a b : Qle_bool a b -> Q2R a <= Q2R b.
Proof. by move=> /Qle_bool_iff /Qle_Rle. Qed.

(** * Theorems *)

Section Checked.
Variable c : certificate.
Hypothesis checked : check c = true.
Let g := of_game c.
Let x := plan_of (row_plan c).
Let y := plan_of (column_plan c).

Theorem check_sound : guarantees g x (Q2R (value c)) /\ holds_to g y (Q2R (value c) + Q2R (gap c)).
Proof.
move: checked => /and5P [/and3P [ordx ordy exist] px py /Qle_real low /Qle_real high].
move: exist; under eq_all => e do rewrite !nat_ltb !bin_of_natK.
rewrite all_predI => /andP [existx existy].
split; split; try exact: plan_check_sound.
- move=> y' plan_y'; have existy' : all (fun e => row e < sequences (rows (mirror g)))%N (entries (mirror g)).
    by rewrite all_map.
  have := best_reply_sound (mirror g) (row_plan c) y' ordy existy' plan_y'.
  rewrite payoff_mirror -/x; rewrite -/g Q2R_opp in low; lra.
- move=> x' plan_x'; rewrite -Q2R_plus; apply: Rle_trans high; exact: best_reply_sound.
Qed.

Theorem check_gap : gap_at_most g x y (Q2R (gap c)).
Proof.
have [[_ low] [_ high]] := check_sound.
move=> x' y' /high up /low down; lra.
Qed.

Theorem check_exact : Qnum (gap c) = 0%Z -> equilibrium g x y /\ payoff g x y = Q2R (value c).
Proof.
have [[px low] [py high]] := check_sound; move=> gap0.
have e0 : Q2R (gap c) = 0 by rewrite /Q2R gap0; ring.
have v : payoff g x y = Q2R (value c) by have := low y py; have := high x px; lra.
split=> //; split; split=> //; rewrite v; first exact: low.
by move=> x' /high; lra.
Qed.

Theorem check_value : Qnum (gap c) = 0%Z -> value_of g (Q2R (value c)).
Proof. by move=> /check_exact [eq v]; exists x, y. Qed.
End Checked.
