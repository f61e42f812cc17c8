(* The classifier's best reply in closed form (Proposition 1): any finite set of labels, any anchor.

   mass p y z             == W_p(y, z), the mass that the classifier's loss puts on text z with label y
   text_mass p z          == W_p(z), its sum over labels
   reply_live             == two best replies to p agree on live pairs, in every class
   posterior p            == W_p(y, z) / W_p(z); the uniform row where W_p(z) = 0
   posterior_reply        == it is a best reply in the full class; posterior_unique: the only one where W_p(z) > 0
   posterior_value        == J(p, posterior p) = sum of W_p(y, z) ln (W_p(z) / W_p(y, z)) less beta D(p, ref)
   clipped_posterior p    == max (gamma, u W_p(y, z)) with the u = 1 / nu that makes the row sum to 1; the uniform row
                             where W_p(z) = 0
   clipped_reply          == it is a best reply in the clipped class; clipped_unique: the only one where W_p(z) > 0
   clipped_two_labels     == for two labels it is the posterior clipped to [gamma, 1 - gamma]                     *)
From mathcomp Require Import ssreflect ssrfun ssrbool eqtype ssrnat seq choice fintype bigop.
From Coq Require Import Reals Lra Psatz.
From Nashguard Require Import Sums Logs Game Replies Smooth.
Open Scope R_scope.

Lemma rsum_gt0_ex (T : finType) (f : T -> R) : 0 < \rsum_(i : T) f i -> exists i, 0 < f i.
Proof.
elim/big_ind: _ => [|a b IHa IHb H|i _]; [lra| |by exists i].
case: (Rlt_le_dec 0 a) => Ha; first exact: IHa. apply: IHb; lra.
Qed.

Lemma rsum_select (T : finType) (i : T) (f : T -> R) : \rsum_(j : T) (if i == j then f j else 0) = f i.
Proof. rewrite -big_mkcond (eq_bigl (pred1 i)) ?big_pred1_eq // => j; exact: eq_sym. Qed.

Lemma rsum_eq_le (T : finType) (f h : T -> R) : (forall i, f i <= h i) -> \rsum_(i : T) f i = \rsum_(i : T) h i ->
  forall i, f i = h i.
Proof.
move=> L E i. have P j : 0 <= h j - f j by have := L j; lra.
have := rsum_eq0 _ _ P _ i. rewrite rsum_sub E. lra.
Qed.

Section Mass.
Context {g : game}.
Implicit Types (Q : class g) (p u : generator g) (q : classifier g) (f : text g -> label g -> R).

Definition mass p (y : label g) (z : text g) :=
  \rsum_(i : seed g) (if lab i == y then rho i * p i z else 0) + anchor y z.

Definition text_mass p z := \rsum_(y : label g) mass p y z.

Lemma mean_mass p f : mean p f = \rsum_(z : text g) \rsum_(y : label g) (mass p y z * f z y).
Proof.
rewrite (rsum_ext _ _ (fun z => \rsum_(i : seed g) (rho i * (p i z * f z (lab i))) +
  \rsum_(y : label g) (anchor y z * f z y))).
- rewrite rsum_add /mean /real_mean (rsum_swap (text g) (label g)) (rsum_swap (text g) (seed g)). congr (_ + _).
  by apply: rsum_ext => i; rewrite rsum_scal.
- move=> z. rewrite (rsum_ext _ _ (fun y =>
    \rsum_(i : seed g) (if lab i == y then rho i * (p i z * f z y) else 0) + anchor y z * f z y)).
  + rewrite rsum_add (rsum_swap (label g)). congr (_ + _). apply: rsum_ext => i.
    exact: (rsum_select _ (lab i) (fun y => rho i * (p i z * f z y))).
  + move=> y. rewrite /mass Rmult_plus_distr_r -rsum_scalr. congr (_ + _). apply: rsum_ext => i. case: eqP => _; ring.
Qed.

Lemma mass_term_ge0 p y z i : is_generator p -> 0 <= (if lab i == y then rho i * p i z else 0).
Proof. move=> Hp. case: eqP => _; last lra. apply: Rmult_le_pos; [left; exact: rho_pos|exact: (proj1 Hp)]. Qed.

Lemma mass_ge0 p y z : is_generator p -> 0 <= mass p y z.
Proof.
move=> Hp. apply: Rplus_le_le_0_compat; last exact: anchor_ge0. apply: rsum_ge0 => i; exact: mass_term_ge0.
Qed.

Lemma text_mass_ge0 p z : is_generator p -> 0 <= text_mass p z.
Proof. move=> Hp. apply: rsum_ge0 => y. exact: mass_ge0. Qed.

Lemma mass_le p y z : is_generator p -> mass p y z <= text_mass p z.
Proof. move=> Hp. apply: (rsum_single_le _ (fun y => mass p y z)) => y'. exact: mass_ge0. Qed.

Lemma mass_live p y z : is_generator p -> 0 < mass p y z -> live y z.
Proof.
move=> Hp H. case: (anchor_ge0 y z) => A; first by right. left. rewrite /mass -A Rplus_0_r in H.
have [i] := rsum_gt0_ex _ _ H. case: eqP => [E|_]; last lra. move=> P. exists i; split=> //.
case: (generator_support p i z Hp) => [Z|[_ ?]] //. rewrite Z in P; lra.
Qed.

Lemma live_mass p y z : interior p -> live y z -> 0 < mass p y z.
Proof.
move=> [Hp Pp] L. have N := rsum_ge0 _ _ (fun i => mass_term_ge0 p y z i Hp). have A := anchor_ge0 y z.
case: L => [[i [E R]]|L]; rewrite /mass; last lra.
suff : 0 < \rsum_(i : seed g) (if lab i == y then rho i * p i z else 0) by lra.
apply: (rsum_gt0 _ _ i) => [j|]; first exact: mass_term_ge0.
rewrite E eqxx. apply: Rmult_lt_0_compat; [exact: rho_pos|exact: Pp].
Qed.

Lemma admissible_live q : (forall y z, live y z -> 0 < q z y) <-> admissible q.
Proof.
split=> [H|[A B] y z [[i [<- R]]|L]]; [|exact: A|exact: B].
split=> [i z R|y z R]; apply: H; [by left; exists i|by right].
Qed.

Lemma labels_pos : 0 < INR #|label g|.
Proof.
have [i _] : exists i : seed g, 0 < rho i by apply: rsum_gt0_ex; rewrite rho_1; lra.
apply: lt_0_INR. apply/ltP. apply/card_gt0P. by exists (lab i).
Qed.

(* How much worse a reply to another generator, or any other classifier, does at p than p's reply. *)
Lemma reply_excess Q p q q' y z : is_generator p -> reply Q p q -> Q q' ->
  mass p y z * (q' z y / q z y - 1 - ln (q' z y / q z y)) <= payoff p q' - payoff p q.
Proof.
move=> Hp R Q'. have A := member_admissible Q q (proj1 R). have A' := member_admissible Q q' Q'.
have F := first_order Q p q q' Hp R Q'. have E := payoff_sub p q q' A A' Hp. have C := mean_const p 1 Hp.
set x := ratio q' q in F E. pose f z y := x z y - 1 - ln (x z y).
have P : forall t c, 0 <= mass p c t * f t c.
{ move=> t c. case: (mass_ge0 p c t Hp) => [M|<-]; last lra. apply: Rmult_le_pos; first lra.
  have L := mass_live p c t Hp M. rewrite /f. suff : 0 < x t c by move=> /ln_le_sub1; lra.
  apply: Rdiv_lt_0_compat; exact: (proj2 (admissible_live _)). }
apply: (Rle_trans _ (mean p f)); last by rewrite !mean_sub; lra.
rewrite mean_mass. apply: Rle_trans (rsum_single_le _ (fun t => \rsum_(c : label g) (mass p c t * f t c)) z _).
- exact: (rsum_single_le _ (fun c => mass p c z * f z c)).
- move=> t. exact: rsum_ge0.
Qed.

Theorem reply_live Q p q q' y z : interior p -> reply Q p q -> reply Q p q' -> live y z -> q z y = q' z y.
Proof.
move=> Ip R R' L. have M := live_mass p y z Ip L. have E := reply_excess Q p q q' y z (proj1 Ip) R (proj1 R').
have {}E : mass p y z * (q' z y / q z y - 1 - ln (q' z y / q z y)) <= 0 by have := proj2 R' q (proj1 R); lra.
have P : 0 < q z y by apply: (proj2 (admissible_live _)) L; exact: member_admissible (proj1 R).
have P' : 0 < q' z y by apply: (proj2 (admissible_live _)) L; exact: member_admissible (proj1 R').
case: (Req_dec (q' z y / q z y) 1) => [H|H].
- have -> : q' z y = q' z y / q z y * q z y by field; lra. rewrite H; ring.
- have := ln_lt_sub1 _ (Rdiv_lt_0_compat _ _ P' P) H. nra.
Qed.

(* A reply is found row by row: W(z)-weighted first-order optimality. *)
Lemma row_reply Q p q : is_generator p -> Q q ->
  (forall q' z, Q q' -> 0 < text_mass p z -> \rsum_(y : label g) (mass p y z * (q' z y / q z y)) <= text_mass p z) ->
  reply Q p q.
Proof.
move=> Hp HQ H. apply: first_order_reply => // q' HQ'.
have <- : mean p (fun _ _ => 1) = @total g by rewrite mean_const //; ring.
rewrite !mean_mass. apply: rsum_le => z. have -> : \rsum_(y : label g) (mass p y z * 1) = text_mass p z.
{ apply: rsum_ext => y; ring. }
case: (text_mass_ge0 p z Hp) => [P|E]; first exact: H. rewrite -E -[X in _ <= X](rsum_0 (label g)). right.
apply: rsum_ext => y. have := mass_le p y z Hp. have := mass_ge0 p y z Hp. rewrite -E => A B.
have -> : mass p y z = 0 by lra. ring.
Qed.

(* Two rows of sum 1 that agree where the mass is, the one at its least elsewhere, are equal. *)
Lemma row_unique Q p q q' z : interior p -> reply Q p q -> reply Q p q' -> is_conditional q -> is_conditional q' ->
  (forall y, mass p y z = 0 -> q z y <= q' z y) -> forall y, q' z y = q z y.
Proof.
move=> Ip R R' [_ S] [_ S'] H y. symmetry. apply: (rsum_eq_le _ (q z) (q' z)); last by rewrite S S'.
move=> c. case: (mass_ge0 p c z (proj1 Ip)) => [M|E]; last exact: H.
right. apply: reply_live R R' _ => //. exact: mass_live (proj1 Ip) M.
Qed.
End Mass.

Section Posterior.
Context {g : game}.
Implicit Types (p : generator g) (q : classifier g).

Definition posterior p : classifier g := fun z y =>
  if Rlt_dec 0 (text_mass p z) then mass p y z / text_mass p z else / INR #|label g|.

Lemma posterior_at p z y : 0 < text_mass p z -> posterior p z y = mass p y z / text_mass p z.
Proof. rewrite /posterior. by case: Rlt_dec. Qed.

Lemma uniform_row (T : finType) : 0 < INR #|T| -> \rsum_(y : T) / INR #|T| = 1.
Proof. move=> H. rewrite rsum_const. apply: Rinv_r; lra. Qed.

Lemma posterior_conditional p : is_generator p -> is_conditional (posterior p).
Proof.
move=> Hp. have N := @labels_pos g. split=> z.
- move=> y. rewrite /posterior. case: Rlt_dec => H /=; last by left; exact: Rinv_0_lt_compat.
  apply: Rmult_le_pos; [exact: mass_ge0|left; exact: Rinv_0_lt_compat].
- rewrite /posterior. case: Rlt_dec => H /=; last exact: uniform_row.
  rewrite /Rdiv rsum_scalr -/(text_mass p z). apply: Rinv_r; lra.
Qed.

Lemma posterior_admissible p : interior p -> admissible (posterior p).
Proof.
move=> Ip. apply/admissible_live => y z L. have M := live_mass p y z Ip L. have N := @labels_pos g.
rewrite /posterior. case: Rlt_dec => H /=; [exact: Rdiv_lt_0_compat|exact: Rinv_0_lt_compat].
Qed.

(* Proposition 1, full class. *)
Theorem posterior_reply p : interior p -> reply (full g) p (posterior p).
Proof.
move=> Ip. have Hp := proj1 Ip. apply: row_reply => [||q' z [[A B] _] H] //.
- split; [exact: posterior_conditional|exact: posterior_admissible].
- rewrite -[X in _ <= X]Rmult_1_r -(B z) -rsum_scal. apply: rsum_le => y. rewrite posterior_at //.
  case: (mass_ge0 p y z Hp) => [M|<-]; last by rewrite Rmult_0_l; apply: Rmult_le_pos; [lra|exact: A].
  right. field; lra.
Qed.

Theorem posterior_unique p q z : interior p -> reply (full g) p q -> 0 < text_mass p z ->
  forall y, q z y = posterior p z y.
Proof.
move=> Ip R H. have [A _] := proj1 R.
apply: (row_unique (full g) p) => //; [exact: posterior_reply|exact: posterior_conditional (proj1 Ip)|].
move=> y E. rewrite posterior_at // E /Rdiv Rmult_0_l. exact: (proj1 (proj1 (proj1 R))).
Qed.

(* The value of a generator, a conditional entropy of labels given texts less the price of leaving the reference. *)
Theorem posterior_value p : interior p ->
  payoff p (posterior p) =
  \rsum_(z : text g) \rsum_(y : label g) (mass p y z * ln (text_mass p z / mass p y z)) - beta g * divergence p ref.
Proof.
move=> [Hp _]. rewrite /payoff loss_mean mean_mass. congr (_ - _). apply: rsum_ext => z. apply: rsum_ext => y.
case: (mass_ge0 p y z Hp) => [M|<-]; last ring. have L := mass_le p y z Hp.
rewrite posterior_at ?ln_div; [ring|lra..].
Qed.
End Posterior.

Lemma continuity_ext (f h : R -> R) : (forall x, f x = h x) -> continuity f -> continuity h.
Proof. move=> E C x e He. have [d [Hd H]] := C x e He. exists d; split=> // y. rewrite -!E. exact: H. Qed.

Section Scale.
Variables (Y : finType) (w : Y -> R) (gamma : R).
Hypotheses (gamma_ge0 : 0 <= gamma) (gamma_le : INR #|Y| * gamma <= 1).

Lemma clip_continuous : continuity (fun u => \rsum_(y : Y) Rmax gamma (u * w y) - 1).
Proof.
have C y : continuity (fun u => Rmax gamma (u * w y)).
{ apply: (continuity_ext (fun u => / 2 * ((gamma + u * w y) + Rabs (gamma - u * w y)))).
  - move=> u. rewrite /Rmax /Rabs. case: Rle_dec => H; case: Rcase_abs => H'; lra.
  - have D : continuity (fun u => u * w y) by reg.
    apply: continuity_mult; first by reg. apply: continuity_plus; first by apply: continuity_plus; [reg|].
    apply: (continuity_comp (fun u => gamma - u * w y) Rabs); last exact: Rcontinuity_abs.
    by apply: continuity_minus; [reg|]. }
apply: continuity_minus; last by reg.
elim: (index_enum Y) => [|y s IH].
- apply: (continuity_ext (fun _ => 0)); [by move=> u; rewrite big_nil|by reg].
- apply: (continuity_ext (fun u => Rmax gamma (u * w y) + \big[Rplus/0]_(y <- s) Rmax gamma (u * w y))).
  + by move=> u; rewrite big_cons.
  + by apply: continuity_plus.
Qed.

(* The intermediate value theorem, between 0 (all entries gamma) and 1 / W (every entry at least w / W). *)
Lemma scale_exists : 0 < \rsum_(y : Y) w y -> {u : R | 0 <= u /\ \rsum_(y : Y) Rmax gamma (u * w y) = 1}.
Proof.
move=> H. have P := Rinv_0_lt_compat _ H.
case: (IVT_cor _ 0 (/ \rsum_(y : Y) w y) clip_continuous (Rlt_le _ _ P)) => [|u [[A _] E]];
  last by exists u; split=> //; lra.
have L : \rsum_(y : Y) Rmax gamma (0 * w y) <= 1.
{ rewrite (rsum_ext _ _ (fun _ => gamma)) ?rsum_const // => y. rewrite Rmult_0_l Rmax_left //. }
have U : 1 <= \rsum_(y : Y) Rmax gamma (/ (\rsum_(y : Y) w y) * w y).
{ rewrite -{1}(Rinv_l (\rsum_(y : Y) w y)); last lra. rewrite -rsum_scal. apply: rsum_le => y; exact: Rmax_r. }
nra.
Qed.
End Scale.

Section Clipped.
Context {g : game}.
Implicit Types (p : generator g) (q : classifier g).
Variable gamma : R.
Hypotheses (gamma_pos : 0 < gamma) (gamma_le : INR #|label g| * gamma <= 1).

Definition clipped_posterior p : classifier g := fun z y =>
  match Rlt_dec 0 (text_mass p z) with
  | left H =>
    Rmax gamma (proj1_sig (scale_exists _ (mass p ^~ z) gamma (Rlt_le _ _ gamma_pos) gamma_le H) * mass p y z)
  | right _ => / INR #|label g|
  end.

Lemma clipped_row p z : 0 < text_mass p z -> exists u, 0 <= u /\
  \rsum_(y : label g) Rmax gamma (u * mass p y z) = 1 /\
  forall y, clipped_posterior p z y = Rmax gamma (u * mass p y z).
Proof. rewrite /clipped_posterior. case: Rlt_dec => // H _. by case: scale_exists => u [A B]; exists u. Qed.

Lemma clipped_uniform p z y : ~ 0 < text_mass p z -> clipped_posterior p z y = / INR #|label g|.
Proof. rewrite /clipped_posterior. by case: Rlt_dec. Qed.

Lemma clipped_member p : clipped g gamma gamma_pos (clipped_posterior p).
Proof.
have N := @labels_pos g.
have L z y : gamma <= clipped_posterior p z y.
{ case: (Rlt_dec 0 (text_mass p z)) => H.
  - have [u [_ [_ ->]]] := clipped_row p z H. exact: Rmax_l.
  - rewrite clipped_uniform //. apply: (Rmult_le_reg_l (INR #|label g|)) => //. rewrite Rinv_r; lra. }
split=> //. split=> [z y|z]; first by have := L z y; lra.
case: (Rlt_dec 0 (text_mass p z)) => H.
- have [u [_ [S E]]] := clipped_row p z H. rewrite -[RHS]S. exact: rsum_ext.
- rewrite (rsum_ext _ _ (fun _ => / INR #|label g|)); first exact: uniform_row. move=> y; exact: clipped_uniform.
Qed.

(* Proposition 1, clipped class.  u W <= q with equality unless q = gamma <= q': so u W (q' - q) / q <= q' - q. *)
Theorem clipped_reply p : interior p -> reply (clipped g gamma gamma_pos) p (clipped_posterior p).
Proof.
move=> [Hp _]. apply: row_reply => [||q' z [[A B] L] H] //; first exact: clipped_member.
have [[_ S] _] := clipped_member p. have [u [u0 [_ E]]] := clipped_row p z H.
set q := clipped_posterior p in S E *. have P y : gamma <= q z y by rewrite E; exact: Rmax_l.
case: u0 => [u0|Eu].
- suff : u * (\rsum_(y : label g) (mass p y z * (q' z y / q z y))) <= u * text_mass p z by apply: Rmult_le_reg_l.
  suff : \rsum_(y : label g) (u * (mass p y z * (q' z y / q z y)) - u * mass p y z) <= 0
    by rewrite rsum_sub !rsum_scal /text_mass; lra.
  apply: (Rle_trans _ (\rsum_(y : label g) (q' z y - q z y))); last by rewrite rsum_sub B S; lra.
  apply: rsum_le => y. have Q0 := P y. have L' := L z y. have M := mass_ge0 p y z Hp.
  have -> : u * (mass p y z * (q' z y / q z y)) - u * mass p y z = u * mass p y z / q z y * (q' z y - q z y)
    by field; lra.
  move: (E y). rewrite /Rmax. case: Rle_dec => C Eq.
  + right. rewrite -Eq. field; lra.
  + rewrite -[X in _ <= X]Rmult_1_l. apply: Rmult_le_compat_r; first lra.
    apply: (Rmult_le_reg_r (q z y)); first lra. rewrite /Rdiv Rmult_assoc Rinv_l; lra.
- have Q y : q z y = gamma by rewrite E -Eu Rmult_0_l Rmax_left; lra.
  have Q' : forall y, q z y = q' z y by apply: rsum_eq_le; [move=> y; rewrite Q; exact: L|rewrite B S].
  right. apply: rsum_ext => y. rewrite -Q' Q. field; lra.
Qed.

Theorem clipped_unique p q z : interior p -> reply (clipped g gamma gamma_pos) p q -> 0 < text_mass p z ->
  forall y, q z y = clipped_posterior p z y.
Proof.
move=> Ip R H. have [A _] := proj1 R.
apply: (row_unique (clipped g gamma gamma_pos) p) => //; [exact: clipped_reply|exact: (proj1 (clipped_member p))|].
move=> y E. have [u [_ [_ ->]]] := clipped_row p z H. rewrite E Rmult_0_r Rmax_left; last lra.
exact: (proj2 (proj1 R)).
Qed.

Lemma two_labels (T : finType) : #|T| = 2%nat ->
  forall y : T, exists y', forall f : T -> R, \rsum_(c : T) f c = f y + f y'.
Proof.
move=> H y. have := cardC1 y. rewrite H /= => /mem_card1 [y' E]. exists y' => f.
rewrite (bigD1 y) //=. congr (_ + _). rewrite (eq_bigl (pred1 y')) ?big_pred1_eq //.
Qed.

Theorem clipped_two_labels p z y : is_generator p -> #|label g| = 2%nat ->
  clipped_posterior p z y = Rmax gamma (Rmin (1 - gamma) (posterior p z y)).
Proof.
move=> Hp H2. have [y' S] := two_labels _ H2 y. have G : 2 * gamma <= 1 by move: gamma_le; rewrite H2 /=; lra.
case: (Rlt_dec 0 (text_mass p z)) => H; last first.
{ rewrite clipped_uniform // /posterior. case: Rlt_dec => [//|_] /=. rewrite H2 /= Rmin_right ?Rmax_right; lra. }
have [u [u0 [E ->]]] := clipped_row p z H. rewrite posterior_at //. move: E H.
rewrite S /text_mass S. set a := mass p y z. set b := mass p y' z => E H.
have A : 0 <= a by exact: mass_ge0. have B : 0 <= b by exact: mass_ge0.
have W : a / (a + b) * (a + b) = a by field; lra. move: (a / (a + b)) W => x W.
have X v : (v - x) * (a + b) <= 0 -> v <= x by move=> V; apply: (Rmult_le_reg_r (a + b)); lra.
have X' v : 0 <= (v - x) * (a + b) -> x <= v by move=> V; apply: (Rmult_le_reg_r (a + b)); lra.
have R v : Rmax gamma v = v /\ gamma <= v \/ Rmax gamma v = gamma /\ v <= gamma by rewrite /Rmax; case: Rle_dec; lra.
move: E. case: (R (u * a)) => [[-> Ca]|[-> Ca]]; case: (R (u * b)) => [[-> Cb]|[-> Cb]] E.
- have Ex : x = u * a by rewrite -[LHS]Rmult_1_r -E -{2}W; ring.
  rewrite Rmin_right ?Rmax_right; lra.
- have : 1 - gamma <= x by apply: X; have := Rmult_le_compat_r a _ _ A Cb; nra.
  move=> L. rewrite Rmin_left ?Rmax_right; lra.
- have : x <= gamma by apply: X'; have := Rmult_le_compat_r b _ _ B Ca; nra.
  move=> L. rewrite Rmax_left //. have := Rmin_r (1 - gamma) x; lra.
- rewrite Rmax_left //. have := Rmin_l (1 - gamma) x; lra.
Qed.
End Clipped.
