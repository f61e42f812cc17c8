(* Matrix games with a KL term for either player, and a proved checker of certificates (Definition 5, Proposition 7.1).

   prior T           == what a player is drawn to: a reference distribution on T and a temperature, in payoff per nat
   kl p r            == KL(p || r), in nats
   strategy P p      == p is a distribution, on the reference's support unless the temperature is 0
   game              == payoffs A i j from the column player to the row player, and a prior for each
   payoff g x y      == x'Ay - s KL(x || row reference) + t KL(y || column reference)
   guarantees g x v  == the row player's x gets at least v against every strategy
   concedes g y v    == the column player's y pays at most v against every strategy
   eps_nash g x y e  == the two players' gains from changing strategy sum to at most e (NashConv)
   nash g x y        == neither player gains by changing strategy alone
   bounds_eps_nash   == x guarantees v and y concedes v + e: an e-Nash pair
   bounds_nash       == and the payoff of every equilibrium lies in [v, v + e]

   soft_best         == sum p u - t KL(p || r) <= t ln sum r exp(u / t), for every p: the best reply's worth
   certificate       == the integers of a game and of two strategies, and a claimed value and gap
   is_game c         == c's game is one: references are distributions, temperatures at least 0
   game_of V         == the game that c stands for, for a proof V that is_game c
   x_of V, y_of V, value c, gap c == the strategies and numbers that c claims
   check b c         == at b bits: the strategies belong to the game, x_of gets value c, y_of pays value c + gap c
   check_sound       == check b c: x_of guarantees value c, y_of concedes value c + gap c
   check_gap         == check b c: an eps-Nash pair with eps = gap c
   check_nash        == check b c: the payoff of every equilibrium is in [value c, value c + gap c]            *)
From Coq Require Import ZArith QArith Qreals Reals Lra Psatz.
From mathcomp Require Import ssreflect ssrfun ssrbool eqtype ssrnat seq choice fintype bigop.
From Nashguard Require Import Sums Logs KlBounds.
Open Scope R_scope.

(** * The game *)

Record prior (T : finType) := Prior {
  reference : T -> R;
  temperature : R;
  reference_ge0 : forall i, 0 <= reference i;
  reference_1 : \rsum_(i : T) reference i = 1;
  temperature_ge0 : 0 <= temperature
}.
Arguments reference {T} p i : rename.
Arguments temperature {T} p : rename.

Definition kl (T : finType) (p r : T -> R) := \rsum_(i : T) (p i * ln (p i / r i)).
Arguments kl {T} p r.

Definition strategy (T : finType) (P : prior T) (p : T -> R) :=
  [/\ forall i, 0 <= p i, \rsum_(i : T) p i = 1 & 0 < temperature P -> forall i, reference P i = 0 -> p i = 0].
Arguments strategy {T} P p.

Record game := Game {
  row_type : finType;
  column_type : finType;
  payoffs : row_type -> column_type -> R;
  row_prior : prior row_type;
  column_prior : prior column_type
}.

Section Game.
Variable g : game.
Implicit Types (x : row_type g -> R) (y : column_type g -> R) (v e : R).

Definition payoff x y :=
  \rsum_(i : row_type g) \rsum_(j : column_type g) (x i * payoffs g i j * y j)
  - temperature (row_prior g) * kl x (reference (row_prior g))
  + temperature (column_prior g) * kl y (reference (column_prior g)).

Definition guarantees x v :=
  strategy (row_prior g) x /\ forall y, strategy (column_prior g) y -> v <= payoff x y.

Definition concedes y v :=
  strategy (column_prior g) y /\ forall x, strategy (row_prior g) x -> payoff x y <= v.

Definition eps_nash x y e :=
  [/\ strategy (row_prior g) x, strategy (column_prior g) y
    & forall x' y', strategy (row_prior g) x' -> strategy (column_prior g) y' ->
      (payoff x' y - payoff x y) + (payoff x y - payoff x y') <= e].

Definition nash x y :=
  [/\ strategy (row_prior g) x, strategy (column_prior g) y,
      forall x', strategy (row_prior g) x' -> payoff x' y <= payoff x y
    & forall y', strategy (column_prior g) y' -> payoff x y <= payoff x y'].

Theorem bounds_eps_nash x y v e : guarantees x v -> concedes y (v + e) -> eps_nash x y e.
Proof. move=> [Sx Hx] [Sy Hy]; split=> // x' y' Sx' Sy'. have := Hx _ Sy'. have := Hy _ Sx'. lra. Qed.

Theorem bounds_nash x y v e x' y' : guarantees x v -> concedes y (v + e) -> nash x' y' -> v <= payoff x' y' <= v + e.
Proof.
move=> [Sx Hx] [Sy Hy] [Sx' Sy' Mx My]. have := Hx _ Sy'. have := Hy _ Sx'. have := Mx _ Sx. have := My _ Sy. lra.
Qed.
End Game.

(** * The worth of a best reply *)

Section BestReply.
Variables (T : finType) (P : prior T).
Implicit Types u p : T -> R.
Notation r := (reference P).
Notation t := (temperature P).

Lemma kl_ge c p : strategy P p -> 0 < t -> (forall i, 0 < c i) -> \rsum_(i : T) (r i * c i) = 1 ->
  \rsum_(i : T) (p i * ln (c i)) <= kl p r.
Proof.
move=> [p0 p1 pr] t0 c0 c1.
have -> : \rsum_(i : T) (p i * ln (c i)) = \rsum_(i : T) (p i * ln (c i) + p i - r i * c i).
{ rewrite rsum_sub rsum_add p1 c1. ring. }
apply: rsum_le => i. case: (reference_ge0 _ P i) => [H|H]; first exact: donsker.
rewrite (pr t0 i) -?H //; lra.
Qed.

(* Gibbs: p is compared with the reference tilted by exp(u / t). *)
Theorem soft_best u p : strategy P p -> 0 < t ->
  \rsum_(i : T) (p i * u i) - t * kl p r <= t * ln (\rsum_(i : T) (r i * exp (u i / t))).
Proof.
move=> Sp t0. have [p0 p1 _] := Sp. set N := \rsum_(i : T) (r i * _).
have N0 : 0 < N.
{ have w0 i : 0 <= r i * exp (u i / t) by apply: Rmult_le_pos; [exact: reference_ge0|left; exact: exp_pos].
  case: (rsum_ge0 _ _ w0) => [//|E]. have Z := rsum_eq0 _ _ w0 (esym E).
  have := reference_1 _ P. rewrite big1; first lra. move=> i _. have := exp_pos (u i / t).
  case: (Rmult_integral _ _ (Z i)) => // ->; lra. }
have c0 i : 0 < exp (u i / t) / N by apply: Rdiv_lt_0_compat => //; exact: exp_pos.
have := kl_ge (fun i => exp (u i / t) / N) p Sp t0 c0.
have -> : \rsum_(i : T) (r i * (exp (u i / t) / N)) = 1.
{ rewrite (rsum_ext _ _ (fun i => r i * exp (u i / t) * / N)); last by move=> i; rewrite /Rdiv; ring.
  rewrite rsum_scalr -/N. field. lra. }
move=> /(_ erefl). have -> : \rsum_(i : T) (p i * ln (exp (u i / t) / N)) = (/ t * \rsum_(i : T) (p i * u i)) - ln N.
{ rewrite -rsum_scal -[ln N]Rmult_1_l -p1 -rsum_scalr -rsum_sub. apply: rsum_ext => i.
  rewrite ln_div ?ln_exp //; last exact: exp_pos. field. lra. }
move=> /(Rmult_le_compat_l t _ _ (Rlt_le _ _ t0)). set a := \rsum_(i : T) _.
have -> : t * (/ t * a - ln N) = a - t * ln N by field; lra.
lra.
Qed.

Definition tops u b := if Rlt_dec 0 t then b = t * ln (\rsum_(i : T) (r i * exp (u i / t))) else forall i, u i <= b.

Lemma tops_le u b p : strategy P p -> tops u b -> \rsum_(i : T) (p i * u i) - t * kl p r <= b.
Proof.
move=> Sp. rewrite /tops. case: Rlt_dec => [H ->|N H]; first exact: soft_best.
have [p0 p1 _] := Sp. have -> : t = 0 by have := temperature_ge0 _ P; lra. rewrite Rmult_0_l Rminus_0_r.
have -> : b = \rsum_(i : T) (p i * b) by rewrite rsum_scalr p1; ring.
apply: rsum_le => i. exact: Rmult_le_compat_l.
Qed.
End BestReply.
Arguments tops {T} P u b.

Lemma payoff_low g x y a b : tops (column_prior g) (fun j => - \rsum_(i : row_type g) (x i * payoffs g i j)) b ->
  a = temperature (row_prior g) * kl x (reference (row_prior g)) -> strategy (column_prior g) y ->
  - (b + a) <= payoff g x y.
Proof.
move=> Hb -> Sy. have := tops_le _ _ _ _ _ Sy Hb. rewrite /payoff rsum_swap.
have -> : \rsum_(j : column_type g) (y j * - \rsum_(i : row_type g) (x i * payoffs g i j)) =
  - \rsum_(j : column_type g) \rsum_(i : row_type g) (x i * payoffs g i j * y j); last lra.
have -> : forall s, - s = -1 * s by move=> s; ring.
rewrite -rsum_scal. apply: rsum_ext => j. rewrite rsum_scalr. ring.
Qed.

Lemma payoff_high g x y a b : tops (row_prior g) (fun i => \rsum_(j : column_type g) (payoffs g i j * y j)) b ->
  a = temperature (column_prior g) * kl y (reference (column_prior g)) -> strategy (row_prior g) x ->
  payoff g x y <= b + a.
Proof.
move=> Hb -> Sx. have := tops_le _ _ _ _ _ Sx Hb. rewrite /payoff.
have -> : \rsum_(i : row_type g) (x i * \rsum_(j : column_type g) (payoffs g i j * y j)) =
  \rsum_(i : row_type g) \rsum_(j : column_type g) (x i * payoffs g i j * y j); last lra.
apply: rsum_ext => i. rewrite -rsum_scal. apply: rsum_ext => j. ring.
Qed.

(** * Certificates *)

Record attraction := Attraction { reference_of : fractions; temperature_of : Q }.

Record certificate := Certificate {
  payoff_table : table;
  row_attraction : attraction;
  column_attraction : attraction;
  row_strategy : fractions;
  column_strategy : fractions;
  claimed_value : Q;
  claimed_gap : Q
}.

Definition is_prior (n : nat) (a : attraction) : bool :=
  distribution n (reference_of a) && (0 <=? Qnum (temperature_of a))%Z.

Lemma temperature_of_ge0 n a : is_prior n a -> 0 <= Q2R (temperature_of a).
Proof. by case/andP=> _ H; exact: Q2R_ge0. Qed.

Definition prior_of n a (V : is_prior n a) : prior (ordinal_finType n) := {|
  reference := fun i : 'I_n => entry (reference_of a) i;
  temperature := Q2R (temperature_of a);
  reference_ge0 := fun i : 'I_n => distribution_ge0 _ _ i (proj1 (andP V));
  reference_1 := distribution_1 _ _ (proj1 (andP V));
  temperature_ge0 := temperature_of_ge0 n a V
|}.
Arguments prior_of {n a} V.

Section Reading.
Variable c : certificate.

Definition lines := size (rows (payoff_table c)).
Definition columns := size (head [::] (rows (payoff_table c))).
Definition amount (i j : nat) : Z := whole (row (payoff_table c) i) j.
Definition value : R := Q2R (claimed_value c).
Definition gap : R := Q2R (claimed_gap c).

Definition is_game : bool :=
  [&& all (fun r => size r == columns) (rows (payoff_table c)), is_prior lines (row_attraction c)
    & is_prior columns (column_attraction c)].
End Reading.

Section Stands.
Context {c : certificate}.
Variable V : is_game c.

Lemma row_is_prior : is_prior (lines c) (row_attraction c).
Proof. by case/and3P: V. Qed.

Lemma column_is_prior : is_prior (columns c) (column_attraction c).
Proof. by case/and3P: V. Qed.

Definition game_of : game := {|
  row_type := ordinal_finType (lines c);
  column_type := ordinal_finType (columns c);
  payoffs := fun (i : 'I_(lines c)) (j : 'I_(columns c)) => cell (payoff_table c) i j;
  row_prior := prior_of row_is_prior;
  column_prior := prior_of column_is_prior
|}.

Definition x_of : row_type game_of -> R := fun i => entry (row_strategy c) i.
Definition y_of : column_type game_of -> R := fun j => entry (column_strategy c) j.
End Stands.

(** * The checker *)

Section Check.
Variables (bits : Z) (c : certificate).

Definition largest (u : seq Z) : Z := foldr Z.max (head 0%Z u) u.

(* The worth of the best reply to utilities u / d. *)
Definition best (a : attraction) (u : seq Z) (d : positive) : interval :=
  if (0 <? Qnum (temperature_of a))%Z
  then let t := of_Q bits (temperature_of a) in
    times bits t (log bits (total bits (size u) (fun k =>
      times bits (value_of bits (reference_of a) k)
        (power_of_e bits (over bits (quotient bits (nth 0%Z u k) (Zpos d)) t)))))
  else quotient bits (largest u) (Zpos d).

Definition price (k : nat) (a : attraction) (p : fractions) : interval :=
  if (0 <? Qnum (temperature_of a))%Z
  then times bits (of_Q bits (temperature_of a)) (total bits k (divergence_term bits p (reference_of a))) else zero.

Definition is_strategy (k : nat) (a : attraction) (p : fractions) : bool :=
  distribution k p && ((0 <? Qnum (temperature_of a))%Z ==>
    below k (fun i => Z.eqb (whole p i) 0 || (0 <? whole (reference_of a) i)%Z)).

Definition losses : seq Z :=
  mkseq (fun j => - sum (mkseq (fun i => whole (row_strategy c) i * amount c i j) (lines c)))%Z (columns c).
Definition gains : seq Z :=
  mkseq (fun i => sum (mkseq (fun j => amount c i j * whole (column_strategy c) j) (columns c)))%Z (lines c).

Definition guaranteed : interval :=
  negative (plus bits
    (best (column_attraction c) losses (denominator (row_strategy c) * common (payoff_table c)))
    (price (lines c) (row_attraction c) (row_strategy c))).

Definition conceded : interval :=
  plus bits
    (best (row_attraction c) gains (denominator (column_strategy c) * common (payoff_table c)))
    (price (columns c) (column_attraction c) (column_strategy c)).

Definition check : bool :=
  [&& is_strategy (lines c) (row_attraction c) (row_strategy c),
      is_strategy (columns c) (column_attraction c) (column_strategy c),
      at_most bits (of_Q bits (claimed_value c)) guaranteed
    & at_most bits conceded (of_Q bits (claimed_value c + claimed_gap c))].
End Check.

Lemma le_largest u k : (k < size u)%nat -> (nth 0 u k <= largest u)%Z.
Proof.
rewrite /largest. move: (head 0%Z u) => z. elim: u k => [|v u IH] [|k] //= H; first exact: Z.le_max_l.
exact: Z.le_trans (IH k H) (Z.le_max_r _ _).
Qed.

Section Player.
Variables (bits : Z) (k : nat) (a : attraction) (V : is_prior k a).
Notation P := (prior_of V).

Lemma cold : (0 <? Qnum (temperature_of a))%Z = false -> Q2R (temperature_of a) = 0.
Proof.
case/andP: V => _ /Z.leb_le H /Z.ltb_ge N. rewrite /Q2R. have -> : Qnum (temperature_of a) = 0%Z by lia. ring.
Qed.

Lemma strategy_of p : is_strategy k a p -> strategy P (fun i => entry p i).
Proof.
case/andP=> D S. split=> [i| |t0 i /entry_eq0 E]; [exact: distribution_ge0 D|exact: distribution_1|].
move: S. case H: (0 <? _)%Z => /=; last by move: t0 => /=; rewrite cold //; lra.
move=> /belowP /(_ i). rewrite E orbF => /Z.eqb_eq. exact: entry_0.
Qed.

Lemma encloses_price p : is_strategy k a p ->
  encloses (price bits k a p) (temperature P * kl (fun i : 'I_k => entry p i) (reference P)).
Proof.
case/andP=> _. rewrite /price. case H: (0 <? _)%Z => /= S; last by rewrite cold // Rmult_0_l; exact: encloses_zero.
apply: encloses_times; first exact: encloses_of_Q. apply: encloses_total => i. apply: encloses_divergence_term.
case/orP: (belowP _ _ S i) => [/Z.eqb_eq|/Z.ltb_lt]; by [left|right].
Qed.

Lemma encloses_best u d (f : 'I_k -> R) : size u = k ->
  (forall i : 'I_k, f i = IZR (nth 0%Z u i) / IZR (Zpos d)) -> exists b, encloses (best bits a u d) b /\ tops P f b.
Proof.
move=> su E. rewrite /best. case H: (0 <? _)%Z.
- exists (temperature P * ln (\rsum_(i : 'I_k) (reference P i * exp (f i / temperature P)))). split; last first.
  { rewrite /tops. case: Rlt_dec => // N. by case: N; exact: Q2R_gt0. }
  apply: encloses_times; first exact: encloses_of_Q. apply: encloses_log. rewrite su. apply: encloses_total => i.
  apply: encloses_times; first exact: encloses_value_of. apply: encloses_exp.
  apply: encloses_over; last exact: encloses_of_Q. rewrite E. exact: encloses_quotient.
- exists (IZR (largest u) / IZR (Zpos d)). split; first exact: encloses_quotient.
  rewrite /tops. case: Rlt_dec => [|_ i]; first by rewrite /= cold //; lra.
  rewrite E. apply: Rmult_le_compat_r; first by left; apply: Rinv_0_lt_compat; exact: IZR_lt.
  apply: IZR_le. apply: le_largest. by rewrite su ltn_ord.
Qed.
End Player.

Section Soundness.
Context {bits : Z} {c : certificate}.
Variable V : is_game c.
Notation g := (game_of V).
Notation x := (x_of V).
Notation y := (y_of V).

Lemma losses_at (j : 'I_(columns c)) : - (\rsum_(i : row_type g) (x i * payoffs g i j)) =
  IZR (nth 0%Z (losses c) j) / IZR (Zpos (denominator (row_strategy c) * common (payoff_table c))).
Proof.
rewrite nth_mkseq // opp_IZR (IZR_sum _ (lines c)) ?size_mkseq // Pos2Z.inj_mul mult_IZR.
have [a b] : 0 < IZR (Zpos (denominator (row_strategy c))) /\ 0 < IZR (Zpos (common (payoff_table c)))
  by split; exact: IZR_lt.
rewrite /Rdiv -Ropp_mult_distr_l -rsum_scalr. congr (- _). apply: rsum_ext => i. rewrite nth_mkseq // mult_IZR.
rewrite /x_of /= /cell /entry /amount /=. field. lra.
Qed.

Lemma gains_at (i : 'I_(lines c)) : \rsum_(j : column_type g) (payoffs g i j * y j) =
  IZR (nth 0%Z (gains c) i) / IZR (Zpos (denominator (column_strategy c) * common (payoff_table c))).
Proof.
rewrite nth_mkseq // (IZR_sum _ (columns c)) ?size_mkseq // Pos2Z.inj_mul mult_IZR.
have [a b] : 0 < IZR (Zpos (denominator (column_strategy c))) /\ 0 < IZR (Zpos (common (payoff_table c)))
  by split; exact: IZR_lt.
rewrite /Rdiv -rsum_scalr. apply: rsum_ext => j. rewrite nth_mkseq // mult_IZR.
rewrite /y_of /= /cell /entry /amount /=. field. lra.
Qed.

Theorem check_sound : check bits c -> guarantees g x (value c) /\ concedes g y (value c + gap c).
Proof.
case/and4P=> Sx Sy low high.
have Hx := strategy_of _ _ (row_is_prior V) _ Sx. have Hy := strategy_of _ _ (column_is_prior V) _ Sy.
split; split=> //.
- move=> y' Hy'. have [b [Eb Tb]] := encloses_best bits _ _ (column_is_prior V) _ _ _ (size_mkseq _ _) losses_at.
  apply: Rle_trans (payoff_low g x y' _ b Tb erefl Hy'). apply: at_most_le low (encloses_of_Q _ _) _.
  apply: encloses_negative. apply: encloses_plus => //. exact: (encloses_price bits _ _ (row_is_prior V)).
- move=> x' Hx'. have [b [Eb Tb]] := encloses_best bits _ _ (row_is_prior V) _ _ _ (size_mkseq _ _) gains_at.
  apply: Rle_trans (payoff_high g x' y _ b Tb erefl Hx') _. rewrite -Q2R_plus.
  apply: at_most_le high _ (encloses_of_Q _ _).
  apply: encloses_plus => //. exact: (encloses_price bits _ _ (column_is_prior V)).
Qed.

Theorem check_gap : check bits c -> eps_nash g x y (gap c).
Proof. move=> /check_sound [G C]. exact: bounds_eps_nash G C. Qed.

Theorem check_nash : check bits c -> forall x' y', nash g x' y' -> value c <= payoff g x' y' <= value c + gap c.
Proof. move=> /check_sound [G C] x' y'. exact: bounds_nash G C. Qed.
End Soundness.
