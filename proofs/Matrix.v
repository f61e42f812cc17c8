(* Finite zero-sum matrix games, and a checker of certificates.

   The row player picks i, the column player picks j, and the row player gets A i j from the column
   player. Mixed strategies are arbitrary real probability vectors.

   strategy x           == x is a probability vector
   payoff A x y         == sum_i sum_j x_i A_ij y_j, what the row player gets and the column player pays
   guarantees A x v     == the strategy x gets at least v against every strategy
   concedes A y v       == the strategy y pays at most v against every strategy
   nash A x y           == neither player gains by changing strategy alone
   eps_nash A x y e     == the two players' gains from changing strategy sum to at most e (NashConv, never halved)
   is_value A v         == v is the value: for every e > 0 the row player can guarantee v - e, and the column
                           player can pay no more than v + e
   is_value_unique      == a game has at most one value (it has one: minimax in Averages.v)
   bounds_eps_nash      == x guarantees v and y concedes v + e: an e-Nash pair
   eps_nash_value       == the payoff of an e-Nash pair is within e of the value
   bounds_nash          == x guarantees v and y concedes v: a Nash equilibrium, and v is the value

   certificate          == what the program emits: integer payoffs over a common denominator, two
                           strategies in the same form, and the claimed value and gap
   rows c, columns c    == how many pure strategies the players have
   game c, row c, column c, value c, gap c
                        == the real payoffs, strategies and numbers that a certificate c stands for
   sum u, dot u v, add u v, combine n x a
                        == of integers: the sum, the inner product, the sum of vectors, and the
                           combination of the rows of a, of length n, with coefficients x
   distribution n d p   == p has n entries, none negative, of sum d
   least d q, most d q  == the least integer n with n / d >= q, the greatest with n / d <= q
   check c              == by integer arithmetic alone: the tables fit each other, both strategies are
                           distributions, row c gets value c on every column, and column c pays at most
                           value c + gap c on every row
   check_exact c        == check c, and the gap is 0
   check_bounds         == check c: row c guarantees value c, and column c concedes value c + gap c
   check_sound          == check c: an e-Nash pair with e = gap c, and the value is in
                           [value c, value c + gap c]
   check_exact_sound    == check_exact c: a Nash equilibrium, and value c is the value                      *)
From Coq Require Import ZArith QArith Qreals Reals Lra.
From mathcomp Require Import ssreflect ssrfun ssrbool eqtype ssrnat seq choice fintype bigop.
From Nashguard Require Import Sums.
Open Scope R_scope.

(* Matrix games *)

Definition strategy (T : finType) (x : T -> R) := (forall i, 0 <= x i) /\ \rsum_(i : T) x i = 1.

Section Games.
Variables I J : finType.
Variable A : I -> J -> R.
Implicit Types (x : I -> R) (y : J -> R) (v e : R).

Definition payoff x y := \rsum_(i : I) \rsum_(j : J) (x i * A i j * y j).

Definition guarantees x v := strategy I x /\ forall y, strategy J y -> v <= payoff x y.

Definition concedes y v := strategy J y /\ forall x, strategy I x -> payoff x y <= v.

Definition nash x y :=
  [/\ strategy I x, strategy J y,
      forall x', strategy I x' -> payoff x' y <= payoff x y
    & forall y', strategy J y' -> payoff x y <= payoff x y'].

Definition eps_nash x y e :=
  [/\ strategy I x, strategy J y
    & forall x' y', strategy I x' -> strategy J y' ->
      (payoff x' y - payoff x y) + (payoff x y - payoff x y') <= e].

Definition is_value v :=
  forall e, 0 < e -> (exists x, guarantees x (v - e)) /\ (exists y, concedes y (v + e)).

Lemma guarantees_le_concedes x y v w : guarantees x v -> concedes y w -> v <= w.
Proof. move=> [Sx Hx] [Sy Hy]. exact: Rle_trans (Hx _ Sy) (Hy _ Sx). Qed.

(* What one side can be held to bounds the value from the other side. *)
Lemma guarantees_le_value x v w : guarantees x v -> is_value w -> v <= w.
Proof.
move=> Hx Hw. case: (Rle_lt_dec v w) => // lt. have [|_ [y Hy]] := Hw ((v - w) / 2); first lra.
have := guarantees_le_concedes _ _ _ _ Hx Hy. lra.
Qed.

Lemma value_le_concedes y v w : concedes y v -> is_value w -> w <= v.
Proof.
move=> Hy Hw. case: (Rle_lt_dec w v) => // lt. have [|[x Hx] _] := Hw ((w - v) / 2); first lra.
have := guarantees_le_concedes _ _ _ _ Hx Hy. lra.
Qed.

Theorem is_value_unique v w : is_value v -> is_value w -> v = w.
Proof.
have le a b : is_value a -> is_value b -> a <= b.
  move=> Ha Hb. case: (Rle_lt_dec a b) => // lt. have [|[x Hx] _] := Ha ((a - b) / 2); first lra.
  have := guarantees_le_value _ _ _ Hx Hb. lra.
by move=> Hv Hw; apply: Rle_antisym; apply: le.
Qed.

Theorem bounds_eps_nash x y v e : guarantees x v -> concedes y (v + e) -> eps_nash x y e.
Proof.
move=> [Sx Hx] [Sy Hy]; split=> // x' y' Sx' Sy'. have := Hx _ Sy'. have := Hy _ Sx'. lra.
Qed.

Lemma eps_nash_bounds x y e :
  eps_nash x y e -> guarantees x (payoff x y - e) /\ concedes y (payoff x y + e).
Proof.
move=> [Sx Sy H]; split; split=> // z Sz; [have := H x z Sx Sz|have := H z y Sz Sy]; lra.
Qed.

Theorem eps_nash_value x y e v : eps_nash x y e -> is_value v -> Rabs (payoff x y - v) <= e.
Proof.
move=> /eps_nash_bounds [Gx Gy] Hv. apply: Rabs_le.
have := guarantees_le_value _ _ _ Gx Hv. have := value_le_concedes _ _ _ Gy Hv. lra.
Qed.

Theorem bounds_nash x y v : guarantees x v -> concedes y v -> nash x y /\ is_value v.
Proof.
move=> Gx Gy. have [[Sx Hx] [Sy Hy]] := (Gx, Gy). split; last first.
  move=> e e0. split; [exists x|exists y]; split=> // z Sz; [have := Hx _ Sz|have := Hy _ Sz]; lra.
have := Hx _ Sy. have := Hy _ Sx => h1 h2.
by split=> // z Sz; [have := Hy _ Sz|have := Hx _ Sz]; lra.
Qed.

(* A strategy does as well as claimed against all mixed strategies as soon as it does so against the
   pure ones: the payoff is an average. *)
Lemma payoff_by_columns x y : payoff x y = \rsum_(j : J) (y j * \rsum_(i : I) (x i * A i j)).
Proof.
rewrite /payoff rsum_swap. apply: rsum_ext => j. rewrite -rsum_scal. by apply: rsum_ext => i; ring.
Qed.

Lemma payoff_by_rows x y : payoff x y = \rsum_(i : I) (x i * \rsum_(j : J) (A i j * y j)).
Proof. apply: rsum_ext => i. rewrite -rsum_scal. by apply: rsum_ext => j; ring. Qed.

Lemma average_ge (T : finType) (p f : T -> R) v :
  strategy T p -> (forall i, v <= f i) -> v <= \rsum_(i : T) (p i * f i).
Proof.
move=> [p0 p1] H. have -> : v = \rsum_(i : T) (p i * v) by rewrite rsum_scalr p1; ring.
by apply: rsum_le => i; apply: Rmult_le_compat_l.
Qed.

Lemma average_le (T : finType) (p f : T -> R) v :
  strategy T p -> (forall i, f i <= v) -> \rsum_(i : T) (p i * f i) <= v.
Proof.
move=> [p0 p1] H. have -> : v = \rsum_(i : T) (p i * v) by rewrite rsum_scalr p1; ring.
by apply: rsum_le => i; apply: Rmult_le_compat_l.
Qed.

Lemma guarantees_columns x v :
  strategy I x -> (forall j, v <= \rsum_(i : I) (x i * A i j)) -> guarantees x v.
Proof. move=> Sx H; split=> // y Sy. rewrite payoff_by_columns. exact: average_ge. Qed.

Lemma concedes_rows y v :
  strategy J y -> (forall i, \rsum_(j : J) (A i j * y j) <= v) -> concedes y v.
Proof. move=> Sy H; split=> // x Sx. rewrite payoff_by_rows. exact: average_le. Qed.
End Games.

Arguments strategy {T} x.
Arguments payoff {I J} A x y.
Arguments guarantees {I J} A x v.
Arguments concedes {I J} A y v.
Arguments nash {I J} A x y.
Arguments eps_nash {I J} A x y e.
Arguments is_value {I J} A v.

(* Certificates *)

(* The numbers are integers over positive common denominators. *)
Record certificate := Certificate {
  payoff_over : positive;  payoff_rows : seq (seq Z);
  row_over : positive;     row_numerators : seq Z;
  column_over : positive;  column_numerators : seq Z;
  claimed_value : Q;       claimed_gap : Q
}.

Section Reading.
Variable c : certificate.

Definition rows := size (payoff_rows c).
Definition columns := size (head [::] (payoff_rows c)).

Definition game (i : 'I_rows) (j : 'I_columns) : R :=
  IZR (nth 0%Z (nth [::] (payoff_rows c) i) j) / IZR (Zpos (payoff_over c)).
Definition row (i : 'I_rows) : R := IZR (nth 0%Z (row_numerators c) i) / IZR (Zpos (row_over c)).
Definition column (j : 'I_columns) : R :=
  IZR (nth 0%Z (column_numerators c) j) / IZR (Zpos (column_over c)).
Definition value : R := Q2R (claimed_value c).
Definition gap : R := Q2R (claimed_gap c).
End Reading.

(* Integer arithmetic, for vm_compute. *)
Definition sum (u : seq Z) : Z := foldr Z.add 0%Z u.
Definition dot (u v : seq Z) : Z := sum [seq (p.1 * p.2)%Z | p <- zip u v].
Definition add (u v : seq Z) : seq Z := [seq (p.1 + p.2)%Z | p <- zip u v].
Definition combine (n : nat) (x : seq Z) (a : seq (seq Z)) : seq Z :=
  foldr (fun p total => add [seq (p.1 * k)%Z | k <- p.2] total) (nseq n 0%Z) (zip x a).

Definition distribution (n : nat) (over : positive) (p : seq Z) : bool :=
  [&& size p == n, all (Z.leb 0) p & Z.eqb (sum p) (Zpos over)].

(* Rounding each bound once spares a long product on every row and column. *)
Definition least (d : positive) (q : Q) : Z := (- (- (Qnum q * Zpos d) / QDen q))%Z.
Definition most (d : positive) (q : Q) : Z := (Qnum q * Zpos d / QDen q)%Z.

Definition check (c : certificate) : bool :=
  let a := payoff_rows c in let x := row_numerators c in let y := column_numerators c in
  let m := size a in let n := size (head [::] a) in
  let low := least (payoff_over c * row_over c) (claimed_value c) in
  let high := most (payoff_over c * column_over c) (Qplus (claimed_value c) (claimed_gap c)) in
  [&& all (fun r => size r == n) a, distribution m (row_over c) x, distribution n (column_over c) y,
      all (Z.leb low) (combine n x a) & all (fun r => dot r y <=? high)%Z a].

Definition check_exact (c : certificate) : bool := Z.eqb (Qnum (claimed_gap c)) 0 && check c.

(* The integers of a certificate, read as reals. *)
Lemma IZR_sum (u : seq Z) n : size u = n -> IZR (sum u) = \rsum_(i : 'I_n) IZR (nth 0%Z u i).
Proof.
move=> <-. elim: u => [|a u IH]; first by rewrite big_ord0.
by rewrite big_ord_recl /= plus_IZR IH.
Qed.

Lemma IZR_dot (u v : seq Z) n : size u = n -> size v = n ->
  IZR (dot u v) = \rsum_(i : 'I_n) (IZR (nth 0%Z u i) * IZR (nth 0%Z v i)).
Proof.
move=> su sv. rewrite (IZR_sum _ n); last by rewrite size_map size_zip su sv minnn.
apply: rsum_ext => i. rewrite (nth_map (0%Z, 0%Z)) ?size_zip ?su ?sv ?minnn //.
by rewrite nth_zip ?su ?sv // mult_IZR.
Qed.

Lemma size_combine n x a : all (fun r : seq Z => size r == n) a -> size (combine n x a) = n.
Proof.
rewrite /combine. elim: a x => [|r a IH] [|k x] //=; try by rewrite size_nseq.
by case/andP=> /eqP sr sa; rewrite size_map size_zip size_map sr (IH _ sa) minnn.
Qed.

Lemma nth_combine n x a j : all (fun r : seq Z => size r == n) a -> (j < n)%N ->
  nth 0%Z (combine n x a) j = dot x [seq nth 0%Z r j | r <- a].
Proof.
move=> + lt. elim: a x => [|r a IH] [|k x] //=; try by rewrite /combine nth_nseq lt.
case/andP=> /eqP sr sa. rewrite -/(combine n x a) (nth_map (0%Z, 0%Z)); last first.
  by rewrite size_zip size_map sr size_combine // minnn.
rewrite nth_zip ?size_map ?sr ?size_combine //= (nth_map 0%Z) ?sr // IH //.
Qed.

Lemma distribution_strategy n over p : distribution n over p ->
  strategy (fun i : 'I_n => IZR (nth 0%Z p i) / IZR (Zpos over)).
Proof.
case/and3P=> /eqP sp p0 /Z.eqb_eq p1.
have over0 : 0 < IZR (Zpos over) by apply: IZR_lt.
split=> [i|]; last by rewrite rsum_scalr -(IZR_sum _ _ sp) p1; field; lra.
apply: Rmult_le_pos; last by left; apply: Rinv_0_lt_compat.
by apply/IZR_le/Z.leb_le/(all_nthP 0%Z p0); rewrite sp.
Qed.

Lemma least_le d q n : (least d q <= n)%Z -> Q2R q <= IZR n / IZR (Zpos d).
Proof.
move=> /(Z.mul_le_mono_nonneg_l _ _ (QDen q) ltac:(by []))/IZR_le.
have /IZR_le := Z.mul_div_le (- (Qnum q * Zpos d)) (QDen q) ltac:(by []).
rewrite /least !(mult_IZR, opp_IZR) => h1 h2.
have [d0 q0] : 0 < IZR (Zpos d) /\ 0 < IZR (QDen q) by split; apply: IZR_lt.
apply: (Rmult_le_reg_r (IZR (Zpos d))) => //; apply: (Rmult_le_reg_r (IZR (QDen q))) => //.
by rewrite /Q2R; field_simplify; lra.
Qed.

Lemma le_most d q n : (n <= most d q)%Z -> IZR n / IZR (Zpos d) <= Q2R q.
Proof.
move=> /(Z.mul_le_mono_nonneg_l _ _ (QDen q) ltac:(by []))/IZR_le.
have /IZR_le := Z.mul_div_le (Qnum q * Zpos d) (QDen q) ltac:(by []).
rewrite /most !mult_IZR => h1 h2.
have [d0 q0] : 0 < IZR (Zpos d) /\ 0 < IZR (QDen q) by split; apply: IZR_lt.
apply: (Rmult_le_reg_r (IZR (Zpos d))) => //; apply: (Rmult_le_reg_r (IZR (QDen q))) => //.
by rewrite /Q2R; field_simplify; lra.
Qed.

Section Soundness.
Variable c : certificate.

Theorem check_bounds :
  check c -> guarantees (game c) (row c) (value c) /\ concedes (game c) (column c) (value c + gap c).
Proof.
case/and5P=> sa dx dy low high.
have sx : size (row_numerators c) = rows c by case/and3P: dx => /eqP.
have sy : size (column_numerators c) = columns c by case/and3P: dy => /eqP.
have over0 d : IZR (Zpos d) <> 0 by apply: not_0_IZR.
split.
  apply: guarantees_columns; first exact: distribution_strategy dx.
  move=> j. set s := nth 0%Z (combine (columns c) (row_numerators c) (payoff_rows c)) j.
  have -> : \rsum_(i : 'I_(rows c)) (row c i * game c i j)
            = IZR s / IZR (Zpos (payoff_over c * row_over c)).
    rewrite /s nth_combine // (IZR_dot _ _ (rows c)) ?size_map // /Rdiv -rsum_scalr.
    apply: rsum_ext => i. rewrite (nth_map [::]) // Pos2Z.inj_mul mult_IZR /row /game. by field.
  apply/least_le/Z.leb_le. apply: (all_nthP 0%Z low). by rewrite size_combine.
apply: concedes_rows; first exact: distribution_strategy dy.
move=> i. set s := dot (nth [::] (payoff_rows c) i) (column_numerators c).
have -> : \rsum_(j : 'I_(columns c)) (game c i j * column c j)
          = IZR s / IZR (Zpos (payoff_over c * column_over c)).
  rewrite /s (IZR_dot _ _ (columns c)) //; last by apply/eqP/(all_nthP [::] sa).
  rewrite /Rdiv -rsum_scalr. apply: rsum_ext => j. rewrite Pos2Z.inj_mul mult_IZR /game /column. by field.
rewrite -Q2R_plus. apply/le_most/Z.leb_le. exact: (all_nthP [::] high).
Qed.

Theorem check_sound : check c ->
  eps_nash (game c) (row c) (column c) (gap c) /\
  forall v, is_value (game c) v -> value c <= v <= value c + gap c.
Proof.
move=> /check_bounds [Gx Gy]. split=> [|v Hv]; first exact: bounds_eps_nash Gx Gy.
split; [exact: guarantees_le_value Gx Hv|exact: value_le_concedes Gy Hv].
Qed.

Theorem check_exact_sound : check_exact c ->
  nash (game c) (row c) (column c) /\ is_value (game c) (value c).
Proof.
case/andP=> /Z.eqb_eq g0 /check_bounds [Gx Gy]. apply: bounds_nash => //.
suff <- : value c + gap c = value c by [].
by rewrite /gap /Q2R g0; ring.
Qed.
End Soundness.
