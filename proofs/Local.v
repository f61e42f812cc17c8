(* The iteration near an equilibrium (Theorem B of theory/convergence.md): the full class, any labels, any anchor.
   The clipped class and the diagonalisation of the Jacobian are not treated.  Attraction.v continues.

   A perturbation of the generator p is e : seed -> text -> R, read as p_i(z) (1 + h e_i(z)); off the support of p its
   values do not matter.  Nothing is assumed of the zeros of p: a pair of mass 0 contributes 0.

   centred p e            == sum_z p_i(z) e_i(z) = 0 for every seed
   inner p e f            == <e, f> = sum_i rho_i sum_z p_i(z) e_i(z) f_i(z)
   mass_shift p e         == P e, the derivative of the mass W_p(y, z)
   posterior_shift p e    == B P e, the derivative of the logarithm of the posterior
   response p e           == S e = P* B P e, where P* s = centre p s
   linearised p tau e     == (tau e - S e) / (tau + beta)
   eigenvector p nu e     == S e = nu e on the support of p, with e centred and not 0 there

   response_symmetric     == part 1: <e, S f> = <S e, f>; response_ge0 and response_le1: 0 <= <e, S e> <= <e, e>;
                             response_le: <= k <e, e> where P <= k W on every text that several labels can produce
   eigenvalue_range       == 0 <= nu <= 1; eigenvalue_le: nu <= k
   eigenvector_linearised == part 2: the linearised iteration multiplies e by (tau - nu) / (tau + beta)
   factor_stable          == part 3: this factor is below 1 in absolute value if and only if nu < 2 tau + beta
   linearisation          == part 2: at an equilibrium, the derivative of the logarithm of the next generator is
                             linearised p tau e (perturb p e h is p_i(z) (1 + h e_i(z)))
   linearised_contracts   == the linearised iteration contracts in the norm of inner, by the bound k on S alone;
                             linearised_rate: by max (tau, 1 - tau) / (tau + beta), with k = 1;
                             rate_lt1: which is below 1 if and only if 2 tau + beta > 1
   eigenvalue_1           == part 4: nu = 1 occurs where d_0 >= n (common_zero: fewer linear equations than unknowns);
                             eigenvalue_1_unanchored: no anchor, every label produces every text, (|Y| - 1) |Z| >= n
   threshold              == in that case every factor is below 1 if and only if 2 tau + beta > 1
   similarity p a b       == part 6, two labels and no anchor: the matrix M; harmonic is h, overlap y is S_y
   similarity_symmetric   == M is symmetric; similarity_ge0 and similarity_le: 0 <= <f, M f> <= <f, f>
   similarity_spectrum    == for nu <> 0: nu is an eigenvalue of S if and only if 1 - nu is one of M            *)
From mathcomp Require Import ssreflect ssrfun ssrbool eqtype ssrnat seq choice fintype finset bigop.
From Coq Require Import Reals Lra Psatz.
From Coquelicot Require Import Coquelicot.
From Nashguard Require Import Sums Logs Game Replies Pinsker Smooth Posterior Equilibrium.
Open Scope R_scope.

Section Rows.
Context {T : finType}.
Implicit Types w x : T -> R.

Lemma square_ratio_ge0 a b : 0 <= b -> 0 <= a ^ 2 / b \/ b = 0.
Proof.
by case=> [P|<-]; [left; apply: Rmult_le_pos; [exact: pow2_ge_0|left; exact: Rinv_0_lt_compat]|right].
Qed.

(* Cauchy's inequality in Engel's form; a term x / w with w = 0 has x = 0 and counts as 0. *)
Lemma engel w x : (forall z, 0 <= w z) -> (forall z, w z = 0 -> x z = 0) ->
  (\rsum_(z : T) x z) ^ 2 / (\rsum_(z : T) w z) <= \rsum_(z : T) (x z ^ 2 / w z).
Proof.
move=> Hw Z. have S0 z : 0 <= x z ^ 2 / w z.
{ by case: (square_ratio_ge0 (x z) (w z) (Hw z)) => // E; rewrite Z //; lra. }
case: (rsum_ge0 _ w Hw) => [P|E].
- have H z : x z ^ 2 <= w z * (x z ^ 2 / w z).
  { case: (Hw z) => [Q|E]; first by right; field; lra. rewrite Z //; lra. }
  have := cauchy_schwarz x w (fun z => x z ^ 2 / w z) Hw S0 H.
  move/(Rmult_le_compat_r (/ \rsum_(z : T) w z) _ _ (Rlt_le _ _ (Rinv_0_lt_compat _ P))).
  rewrite Rmult_comm. set W := \rsum_(z : T) w z in P *. set A := \rsum_(z : T) (_ / _).
  have -> : W * A * / W = A by field; lra. lra.
- have -> : \rsum_(z : T) x z = 0.
  { rewrite -[RHS](rsum_0 T). apply: rsum_ext => z. apply: Z. exact: rsum_eq0 Hw (esym E) z. }
  have := rsum_ge0 _ _ S0. lra.
Qed.
End Rows.

Section Operators.
Context {g : game}.
Variable p : generator g.
Implicit Types (e f : seed g -> text g -> R) (s : label g -> text g -> R).

Definition centred e := forall i, \rsum_(z : text g) (p i z * e i z) = 0.

Definition inner e f := avg (fun i z => p i z * (e i z * f i z)).

Definition mass_shift e y z := \rsum_(i : seed g) (if lab i == y then rho i * (p i z * e i z) else 0).

Definition posterior_shift e y z :=
  mass_shift e y z / mass p y z - (\rsum_(y : label g) mass_shift e y z) / text_mass p z.

Definition centre s : seed g -> text g -> R := fun i z =>
  s (lab i) z - \rsum_(t : text g) (p i t * s (lab i) t).

Definition response e := centre (posterior_shift e).

Definition linearised tau e : seed g -> text g -> R := fun i z => (tau * e i z - response e i z) / (tau + beta g).

Definition eigenvector nu e := centred e /\ 0 < inner e e /\ forall i z, 0 < p i z -> response e i z = nu * e i z.

Hypothesis Hp : is_generator p.

Lemma rsum_by_label (F : seed g -> label g -> R) :
  \rsum_(i : seed g) F i (lab i) = \rsum_(y : label g) \rsum_(i : seed g) (if lab i == y then F i y else 0).
Proof. rewrite rsum_swap. apply: rsum_ext => i. by rewrite (rsum_select _ (lab i) (F i)). Qed.

Lemma inner_sym e f : inner e f = inner f e.
Proof. apply: avg_ext => i z. ring. Qed.

Lemma inner_ge0 e : 0 <= inner e e.
Proof. apply: avg_ge0 => i z. apply: Rmult_le_pos; [exact: (proj1 Hp)|exact: Rle_0_sqr]. Qed.

(* Centring does not matter against a centred perturbation: the adjoint of mass_shift is centre. *)
Lemma adjoint e s : centred e -> inner e (centre s) = \rsum_(z : text g) \rsum_(y : label g) (mass_shift e y z * s y z).
Proof.
move=> C. have -> : inner e (centre s) = \rsum_(i : seed g) (rho i * \rsum_(z : text g) (p i z * e i z * s (lab i) z)).
{ apply: rsum_ext => i; congr (_ * _). rewrite /centre. set c := \rsum_(t : text g) (p i t * s (lab i) t).
  rewrite (rsum_ext _ _ (fun z => p i z * e i z * s (lab i) z - p i z * e i z * c)); last by move=> z; ring.
  rewrite rsum_sub rsum_scalr C. ring. }
rewrite (rsum_ext _ _ (fun i => \rsum_(z : text g) (rho i * (p i z * e i z) * s (lab i) z))); last first.
{ move=> i. rewrite -rsum_scal. apply: rsum_ext => z. ring. }
rewrite rsum_swap. apply: rsum_ext => z.
rewrite (rsum_by_label (fun i y => rho i * (p i z * e i z) * s y z)). apply: rsum_ext => y.
rewrite /mass_shift -rsum_scalr. apply: rsum_ext => i. case: eqP => _; ring.
Qed.

(* The quadratic form of B_z: the second derivative of the log-loss at the text z. *)
Definition form e f z := \rsum_(y : label g) (mass_shift e y z * mass_shift f y z / mass p y z) -
  (\rsum_(y : label g) mass_shift e y z) * (\rsum_(y : label g) mass_shift f y z) / text_mass p z.

Lemma response_form e f : centred e -> inner e (response f) = \rsum_(z : text g) form e f z.
Proof.
move=> C. rewrite adjoint //. apply: rsum_ext => z. rewrite /form /posterior_shift.
rewrite /Rdiv Rmult_assoc. set c := _ * / text_mass p z. rewrite -(rsum_scalr _ c) -rsum_sub.
apply: rsum_ext => y. ring.
Qed.

Theorem response_symmetric e f : centred e -> centred f -> inner e (response f) = inner (response e) f.
Proof.
move=> Ce Cf. rewrite (inner_sym (response e)) !response_form //. apply: rsum_ext => z. rewrite /form.
congr (_ - _); last by rewrite /Rdiv; ring.
apply: rsum_ext => y. rewrite /Rdiv; ring.
Qed.

Definition energy e y z := \rsum_(i : seed g) (if lab i == y then rho i * (p i z * e i z ^ 2) else 0).

Lemma inner_energy e : inner e e = \rsum_(z : text g) \rsum_(y : label g) energy e y z.
Proof.
rewrite /inner /avg (rsum_ext _ _ (fun i => \rsum_(z : text g) (rho i * (p i z * e i z ^ 2)))); last first.
{ move=> i. rewrite -rsum_scal. apply: rsum_ext => z. ring. }
rewrite rsum_swap. apply: rsum_ext => z. exact: (rsum_by_label (fun i _ => rho i * (p i z * e i z ^ 2))).
Qed.

Lemma energy_ge0 e y z : 0 <= energy e y z.
Proof.
apply: rsum_ge0 => i. case: eqP => _; last lra.
apply: Rmult_le_pos; first by left; exact: rho_pos. apply: Rmult_le_pos; [exact: (proj1 Hp)|exact: pow2_ge_0].
Qed.

Lemma mass_shift_square e y z : mass_shift e y z ^ 2 <= (mass p y z - anchor y z) * energy e y z.
Proof.
rewrite /mass. have -> a b : a + b - b = a by ring.
apply: cauchy_schwarz => i; first exact: mass_term_ge0.
- case: eqP => _; last lra.
  apply: Rmult_le_pos; first by left; exact: rho_pos. apply: Rmult_le_pos; [exact: (proj1 Hp)|exact: pow2_ge_0].
- by right; case: eqP => _; ring.
Qed.

Lemma mass_shift_0 e y z : mass p y z = 0 -> mass_shift e y z = 0.
Proof.
have := mass_shift_square e y z. have := anchor_ge0 y z. have := energy_ge0 e y z. move=> A B C E. rewrite E in C.
nra.
Qed.

Lemma form_ge0 e z : 0 <= form e e z.
Proof.
have := engel (fun y => mass p y z) (fun y => mass_shift e y z) (fun y => mass_ge0 p y z Hp) (fun y => mass_shift_0 e y
  z).
rewrite /form -/(text_mass p z). set x := \rsum_(y : label g) mass_shift e y z.
rewrite (rsum_ext _ (fun y => mass_shift e y z * _ / _) (fun y => mass_shift e y z ^ 2 / mass p y z)) /=; last by
  move=> y; congr (_ / _); ring.
have -> : x * (x * 1) = x * x by ring. lra.
Qed.

(* A text whose mass has one label only contributes nothing. *)
Lemma form_one_label e y z : mass p y z = text_mass p z -> form e e z = 0.
Proof.
move=> E. have Z y' : y' != y -> mass_shift e y' z = 0.
{ move=> N. apply: mass_shift_0. apply: Rle_antisym; last exact: mass_ge0.
  set f := fun t => mass p t z - (if y == t then mass p t z else 0).
  have f0 t : 0 <= f t by rewrite /f; case: eqP => _; have := mass_ge0 p t z Hp; lra.
  have : \rsum_(t : label g) f t = 0 by rewrite rsum_sub rsum_select -/(text_mass p z); lra.
  move/(rsum_eq0 _ f f0)/(_ y'). rewrite /f eq_sym (negbTE N). lra. }
have S F : (forall y', y' != y -> F y' = 0) -> \rsum_(t : label g) F t = F y.
{ move=> H. rewrite -[RHS](rsum_select _ y F). apply: rsum_ext => t. case: eqP => // N. apply: H.
  by apply/eqP => M; case: N. }
rewrite /form (S (fun t => mass_shift e t z)) // (S (fun t => mass_shift e t z * _ / _)); first by rewrite E; lra.
move=> y' N. rewrite Z //. lra.
Qed.

Lemma form_le k e z : 0 <= k ->
  (forall y, mass p y z < text_mass p z -> mass p y z - anchor y z <= k * mass p y z) ->
  form e e z <= k * \rsum_(y : label g) energy e y z.
Proof.
move=> Hk H. case: (pickP (fun y => ~~ (Rlt_dec (mass p y z) (text_mass p z)))) => [y /negP N|A].
- rewrite (form_one_label e y); last first.
  { have := mass_le p y z Hp. case: (Rlt_dec (mass p y z) (text_mass p z)) N => //= N _ M. lra. }
  apply: Rmult_le_pos => //. apply: rsum_ge0 => t. exact: energy_ge0.
- set D := \rsum_(y : label g) mass_shift e y z.
  apply: (Rle_trans _ (\rsum_(y : label g) (mass_shift e y z * mass_shift e y z / mass p y z))).
  + rewrite /form -/D. have := text_mass_ge0 p z Hp. case: (square_ratio_ge0 D (text_mass p z) (text_mass_ge0 p z Hp)).
    * have -> : D ^ 2 = D * D by ring. lra.
    * move=> E _. have -> : D = 0; last lra. rewrite /D -[RHS](rsum_0 (label g)). apply: rsum_ext => y.
      apply: mass_shift_0.
      exact: rsum_eq0 (fun y => mass_ge0 p y z Hp) E y.
  + rewrite -rsum_scal. apply: rsum_le => y. have M := mass_ge0 p y z Hp. case: M => [M|E]; last first.
    { rewrite mass_shift_0 //. have := Rmult_le_pos _ _ Hk (energy_ge0 e y z). lra. }
    have L : mass p y z < text_mass p z by move/negbT: (A y); case: Rlt_dec.
    apply: (Rmult_le_reg_l (mass p y z)) => //.
    have -> : mass p y z * (mass_shift e y z * mass_shift e y z / mass p y z) = mass_shift e y z ^ 2.
    { field. lra. }
    have := mass_shift_square e y z. have := Rmult_le_compat_r _ _ _ (energy_ge0 e y z) (H y L). lra.
Qed.

Theorem response_ge0 e : centred e -> 0 <= inner e (response e).
Proof. move=> C. rewrite response_form //. apply: rsum_ge0 => z. exact: form_ge0. Qed.

Theorem response_le k e : 0 <= k -> centred e ->
  (forall y z, mass p y z < text_mass p z -> mass p y z - anchor y z <= k * mass p y z) ->
  inner e (response e) <= k * inner e e.
Proof.
move=> Hk C H. rewrite response_form // inner_energy -rsum_scal. apply: rsum_le => z. apply: form_le => // y. exact: H.
Qed.

Corollary response_le1 e : centred e -> inner e (response e) <= inner e e.
Proof.
move=> C. rewrite -[X in _ <= X]Rmult_1_l. apply: response_le => //; [lra|move=> y z _]. have := anchor_ge0 y z. lra.
Qed.

Lemma inner_on_support e f h : (forall i z, 0 < p i z -> f i z = h i z) -> inner e f = inner e h.
Proof.
move=> H. apply: avg_ext => i z. case: (proj1 Hp i z) => [P|<-]; [rewrite H //|ring].
Qed.

Lemma eigenvector_form nu e : eigenvector nu e -> inner e (response e) = nu * inner e e.
Proof.
move=> [C [_ H]]. rewrite (inner_on_support e _ (fun i z => nu * e i z)) // /inner -avg_scal. apply: avg_ext => i z.
ring.
Qed.

Theorem eigenvalue_range nu e : eigenvector nu e -> 0 <= nu <= 1.
Proof.
move=> H. have E := eigenvector_form nu e H. have [C [P _]] := H.
have := response_ge0 e C. have := response_le1 e C. rewrite E. nra.
Qed.

Theorem eigenvalue_le k nu e : 0 <= k -> eigenvector nu e ->
  (forall y z, mass p y z < text_mass p z -> mass p y z - anchor y z <= k * mass p y z) -> nu <= k.
Proof.
move=> Hk H B. have E := eigenvector_form nu e H. have [C [P _]] := H. have := response_le k e Hk C B. rewrite E. nra.
Qed.

Theorem eigenvector_linearised tau nu e i z : eigenvector nu e -> 0 < p i z ->
  linearised tau e i z = (tau - nu) / (tau + beta g) * e i z.
Proof. move=> [_ [_ H]] P. rewrite /linearised H // /Rdiv. ring. Qed.
End Operators.

Theorem factor_stable tau beta nu : 0 < beta -> 0 <= tau -> 0 <= nu ->
  Rabs ((tau - nu) / (tau + beta)) < 1 <-> nu < 2 * tau + beta.
Proof.
move=> Hb Ht Hn. rewrite Rabs_div; last lra. rewrite (Rabs_pos_eq (tau + beta)); last lra.
have D : 0 < tau + beta by lra. split=> H.
- move/(Rmult_lt_compat_l _ _ _ D): H. have -> : (tau + beta) * (Rabs (tau - nu) / (tau + beta)) = Rabs (tau - nu).
  { field. lra. } rewrite Rmult_1_r => /Rabs_def2. lra.
- apply: (Rmult_lt_reg_l _ _ _ D). have -> : (tau + beta) * (Rabs (tau - nu) / (tau + beta)) = Rabs (tau - nu).
  { field. lra. } apply: Rabs_def1; lra.
Qed.

Lemma is_derive_rsum (T : finType) (f : T -> R -> R) (d : T -> R) (x : R) : (forall i, is_derive (f i) x (d i)) ->
  is_derive (fun t => \rsum_(i : T) f i t) x (\rsum_(i : T) d i).
Proof.
move=> H. elim: (index_enum T) => [|i s IH].
- rewrite big_nil. apply: (is_derive_ext (fun _ => 0)); [by move=> t; rewrite big_nil|exact: is_derive_const].
- rewrite big_cons. apply: (is_derive_ext (fun t => f i t + \big[Rplus/0]_(j <- s) f j t)).
  + by move=> t; rewrite big_cons.
  + exact: is_derive_plus.
Qed.

Section Linearisation.
Context {g : game}.
Variables (p : generator g) (tau : R) (e : seed g -> text g -> R).
Hypotheses (k_pos : 0 < tau + beta g) (Ip : interior p) (Ce : centred p e).
Hypothesis fixed : forall i z, step tau p (posterior p) i z = p i z.

Definition perturb (h : R) : generator g := fun i z => p i z * (1 + h * e i z).

Lemma mass_perturb h y z : mass (perturb h) y z = mass p y z + h * mass_shift p e y z.
Proof.
rewrite /mass /mass_shift -rsum_scal. set a := \rsum_(i : seed g) _. set b := \rsum_(i : seed g) _.
set c := \rsum_(i : seed g) _.
suff -> : a = b + c by ring. rewrite /a /b /c -rsum_add. apply: rsum_ext => i. case: eqP => _; rewrite /perturb; ring.
Qed.

Lemma text_mass_perturb h z : text_mass (perturb h) z = text_mass p z + h * \rsum_(y : label g) mass_shift p e y z.
Proof. rewrite /text_mass -rsum_scal -rsum_add. apply: rsum_ext => y. exact: mass_perturb. Qed.

Lemma posterior_derive y z : 0 < mass p y z ->
  is_derive (fun h => ln (posterior (perturb h) z y)) 0 (posterior_shift p e y z).
Proof.
move=> M. have T := Rlt_le_trans _ _ _ M (mass_le p y z (proj1 Ip)).
set a := mass_shift p e y z. set b := \rsum_(y : label g) mass_shift p e y z.
have near (c d : R) : 0 < c -> locally 0 (fun h => 0 < c + h * d).
{ move=> c0. have D : ex_derive (fun h : R => c + h * d) 0 by auto_derive.
  apply: (ex_derive_continuous _ _ D (fun t => 0 < t)). apply (open_gt 0). lra. }
apply: (is_derive_ext_loc (fun h => ln (mass p y z + h * a) - ln (text_mass p z + h * b))).
- refine (filter_imp _ _ _ (filter_and _ _ (near _ a M) (near _ b T))) => h [A B].
  rewrite posterior_at text_mass_perturb // mass_perturb ln_div //.
- rewrite /posterior_shift -/a -/b. auto_derive; last by field; lra. rewrite !Rmult_0_l !Rplus_0_r. by split.
Qed.

Definition exponent_shift i z := (tau * e i z - posterior_shift p e (lab i) z) / (tau + beta g).

Let exponent h i z :=
  (tau * ln (perturb h i z) + beta g * ln (ref i z) - ln (posterior (perturb h) z (lab i))) / (tau + beta g).

Lemma perturb_derive i z : 0 < p i z -> is_derive (fun h => ln (perturb h i z)) 0 (e i z).
Proof. move=> P. rewrite /perturb. auto_derive; [by rewrite Rmult_0_l Rplus_0_r Rmult_1_r|by field; lra]. Qed.

Lemma exponent_derive i z : 0 < ref i z -> is_derive (fun h => exponent h i z) 0 (exponent_shift i z).
Proof.
move=> H. have P := proj2 Ip i z H. have M : 0 < mass p (lab i) z by apply: live_mass => //; left; exists i.
have D := posterior_derive (lab i) z M.
have E : is_derive (fun h => tau * ln (perturb h i z) + beta g * ln (ref i z) - ln (posterior (perturb h) z (lab i))) 0
  (tau * e i z - posterior_shift p e (lab i) z).
{ apply: (is_derive_minus (fun h => tau * ln (perturb h i z) + beta g * ln (ref i z))) => //.
  rewrite -[tau * e i z]Rplus_0_r. apply: (is_derive_plus (fun h => tau * ln (perturb h i z)) (fun _ => beta g * ln
    (ref i z))).
  - apply: is_derive_scal. exact: perturb_derive.
  - exact: is_derive_const. }
have := is_derive_scal _ 0 (/ (tau + beta g)) _ E.
rewrite /exponent_shift /Rdiv [X in is_derive _ _ X -> _]Rmult_comm. apply: is_derive_ext => h. exact: Rmult_comm.
Qed.

Let next h := step tau (perturb h) (posterior (perturb h)).
Let w h := weight tau (perturb h) (posterior (perturb h)).
Let total_weight h := normaliser tau (perturb h) (posterior (perturb h)).

Lemma weight_exponent h i z : 0 < ref i z -> w h i z = exp (exponent h i z).
Proof. rewrite /w /weight. by case: Rlt_dec. Qed.

Lemma weight_derive i z : is_derive (fun h => w h i z) 0 (w 0 i z * exponent_shift i z).
Proof.
case: (ref_ge0 i z) => H.
- apply: (is_derive_ext (fun h => exp (exponent h i z))); first by move=> h; rewrite weight_exponent.
  rewrite weight_exponent // Rmult_comm. apply: (is_derive_comp exp); [exact: is_derive_exp|exact: exponent_derive].
- have Z h : w h i z = 0 by rewrite /w /weight; case: Rlt_dec => //= *; lra.
  rewrite Z Rmult_0_l. apply: (is_derive_ext (fun _ => 0)); [by move=> h; rewrite Z|exact: is_derive_const].
Qed.

Lemma next_derive i z : 0 < ref i z ->
  is_derive (fun h => ln (next h i z)) 0 (exponent_shift i z - \rsum_(t : text g) (next 0 i t * exponent_shift i t)).
Proof.
move=> H. have N h : 0 < total_weight h i := normaliser_pos _ _ _ _.
apply: (is_derive_ext (fun h => exponent h i z - ln (total_weight h i))).
{ move=> h. rewrite /next /step ln_div; [|exact: weight_pos|exact: N].
  by rewrite -/(w h i z) weight_exponent // ln_exp. }
apply: is_derive_minus; first exact: exponent_derive.
have S := is_derive_rsum _ (fun t h => w h i t) _ 0 (fun t => weight_derive i t).
have := is_derive_comp ln _ 0 _ _ (is_derive_ln _ (N 0)) S.
have -> // : scal (\rsum_(t : text g) (w 0 i t * exponent_shift i t)) (/ total_weight 0 i) =
  \rsum_(t : text g) (next 0 i t * exponent_shift i t).
rewrite /scal /= /mult /= -rsum_scalr. apply: rsum_ext => t.
rewrite /next /step /Rdiv -/(w 0 i t) -/(total_weight 0 i). ring.
Qed.

Lemma next_0 i z : next 0 i z = p i z.
Proof.
have P j t : perturb 0 j t = p j t by rewrite /perturb; ring.
have T t : text_mass (perturb 0) t = text_mass p t by rewrite text_mass_perturb; ring.
have Q t y : posterior (perturb 0) t y = posterior p t y.
{ have M : mass (perturb 0) y t = mass p y t by rewrite mass_perturb; ring. by rewrite /posterior T M. }
have W j t : w 0 j t = weight tau p (posterior p) j t by rewrite /w /weight P Q.
rewrite -fixed /next /step -/(w 0 i z) W. congr (_ / _). apply: rsum_ext => t. exact: W.
Qed.

Lemma next_derive_fixed i z : 0 < ref i z -> is_derive (fun h => ln (next h i z)) 0 (linearised p tau e i z).
Proof.
move=> H. have := next_derive i z H.
have -> // : exponent_shift i z - \rsum_(t : text g) (next 0 i t * exponent_shift i t) = linearised p tau e i z.
rewrite (rsum_ext _ _ (fun t => / (tau + beta g) * (tau * (p i t * e i t) - p i t * posterior_shift p e (lab i) t))).
- rewrite rsum_scal rsum_sub rsum_scal Ce /exponent_shift /linearised /response /centre. field. lra.
- move=> t. rewrite next_0 /exponent_shift. field. lra.
Qed.
End Linearisation.

Section Equilibrium.
Context {g : game}.
Implicit Types (Q : class g) (p : generator g) (q : classifier g).
Hypothesis beta_pos : 0 < beta g.

Lemma nash_step Q p q tau i z : 0 <= tau -> nash Q p q -> step tau p q i z = p i z.
Proof.
move=> Ht N. have Ip := nash_interior beta_pos Q p q N. have [Hp [Mp [Qq _]]] := N.
have Aq := member_admissible Q q Qq. have Is := step_interior tau p q.
symmetry. apply: divergence_eq0 => //. have k : 0 < tau + beta g by lra.
have := step_maximal tau p q p k Ip Aq Hp. rewrite divergence_self //.
have := Mp _ (proj1 Is). have := divergence_ge0 p _ Hp Is. have := divergence_ge0 _ p (proj1 Is) Ip.
move=> A B C D. have := Rmult_le_pos _ _ Ht A. nra.
Qed.

Lemma nash_posterior p q : nash (full g) p q -> nash (full g) p (posterior p).
Proof.
move=> N. apply/(nash_replies beta_pos (full g) p q) => //. apply: posterior_reply.
exact: (nash_interior beta_pos _ _ _ N).
Qed.

(* Theorem B, part 2: the derivative of the iteration at an equilibrium, in log-densities. *)
Theorem linearisation p q tau e i z : 0 <= tau -> nash (full g) p q -> centred p e -> 0 < ref i z ->
  is_derive (fun h => ln (step tau (perturb p e h) (posterior (perturb p e h)) i z)) 0 (linearised p tau e i z).
Proof.
move=> Ht N C H. apply: next_derive_fixed => //; first lra; first exact: (nash_interior beta_pos _ _ _ N).
move=> j t. apply: nash_step => //. exact: nash_posterior N.
Qed.
End Equilibrium.

(* Fewer homogeneous linear equations than unknowns have a common solution that is not 0: eliminate one unknown. *)
Lemma common_zero (T : finType) (I : eqType) (l : seq I) (a : I -> T -> R) (A : {set T}) : (size l < #|A|)%nat ->
  exists x : T -> R, [/\ (forall t, t \notin A -> x t = 0), (exists t, x t <> 0) &
    forall i, i \in l -> \rsum_(t : T) (a i t * x t) = 0].
Proof.
elim: l a A => [|j l IH] a A.
- rewrite card_gt0 => /set0Pn [s Hs]. exists (fun t => if s == t then 1 else 0). split=> //.
  + by move=> t; case: eqP => // <-; rewrite Hs.
  + exists s. rewrite eqxx. lra.
- move=> /= Hl. case: (pickP (fun s => (s \in A) && ~~ Req_EM_T (a j s) 0)) => [s /andP [Hs /negP N]|Z].
  + have {}N : a j s <> 0 by move=> E; apply: N; case: Req_EM_T.
    have Hc : (size l < #|A :\ s|)%nat by move: Hl; rewrite (cardsD1 s A) Hs add1n ltnS.
    have [x [X0 [r Xr] Xl]] := IH (fun i t => a i t - a i s / a j s * a j t) (A :\ s) Hc.
    set c := \rsum_(t : T) (a j t * x t). set x' := fun t => x t - (if s == t then c / a j s else 0).
    have S i : \rsum_(t : T) (a i t * x' t) = \rsum_(t : T) (a i t * x t) - a i s * (c / a j s).
    { rewrite -[X in _ - X](rsum_select _ s (fun t => a i t * (c / a j s))) -rsum_sub. apply: rsum_ext => t.
      rewrite /x'. case: eqP => _; ring. }
    exists x'. split.
    * move=> t Ht. have N' : s == t = false by apply/eqP => E; rewrite -E Hs in Ht.
      rewrite /x' N' X0; [ring|by rewrite in_setD1 (negbTE Ht) andbF].
    * exists r. have N' : s == r = false by apply/eqP => E; apply: Xr; apply: X0; rewrite -E in_setD1 eqxx.
      rewrite /x' N'. lra.
    * move=> i. rewrite in_cons => /orP [/eqP ->|Hi]; first by rewrite S -/c; field.
      rewrite S. have := Xl i Hi.
      rewrite (rsum_ext _ _ (fun t => a i t * x t - a i s / a j s * (a j t * x t))); last by move=> t; ring.
      rewrite rsum_sub rsum_scal -/c => H. have -> : \rsum_(t : T) (a i t * x t) = a i s / a j s * c by lra.
      rewrite /Rdiv; ring.
  + have [x [X0 Xr Xl]] := IH a A (ltnW Hl). exists x. split=> // i. rewrite in_cons => /orP [/eqP ->|]; last exact: Xl.
    rewrite -[RHS](rsum_0 T). apply: rsum_ext => t. case E: (t \in A); last by rewrite X0 ?E //; ring.
    have := Z t. rewrite E /=. case: Req_EM_T => //= -> _. ring.
Qed.

Section Attained.
Context {g : game}.
Variable p : generator g.
Hypothesis Hp : is_generator p.

Lemma no_perturbation e : inner p e e = 0 -> forall i z, p i z * e i z = 0.
Proof.
move=> H i z. have P j t : 0 <= p j t * (e j t * e j t).
{ apply: Rmult_le_pos; [exact: (proj1 Hp)|exact: Rle_0_sqr]. }
case: (Rmult_integral _ _ (avg_eq0 _ P H i z)) => [->|]; first ring. case/Rmult_integral => ->; ring.
Qed.

Lemma some_seed : (0 < #|seed g|)%nat.
Proof.
rewrite lt0n; apply/negP => /eqP /card0_eq H. have := rho_1 g. rewrite big1; first lra.
by move=> i; have := H i; rewrite !inE.
Qed.

Theorem eigenvalue_1 (A : {set label g * text g}) :
  (forall y z, (y, z) \in A -> anchor y z = 0 /\ 0 < mass p y z) ->
  (#|seed g| + #|[set yz.2 | yz in A]| <= #|A|)%nat -> exists e, eigenvector p 1 e.
Proof.
move=> HA HN.
pose a (j : text g + seed g) (yz : label g * text g) := match j with
  | inl z => if z == yz.2 then 1 else 0
  | inr i => if lab i == yz.1 then p i yz.2 / mass p yz.1 yz.2 else 0 end.
case E: (enum (seed g)) => [|i0 l0]; first by have := some_seed; rewrite cardE E.
pose l := [seq inl z | z <- enum [set yz.2 | yz in A]] ++ [seq inr i | i <- l0].
have Hl : (size l < #|A|)%nat.
{ apply: leq_trans HN. rewrite size_cat !size_map -cardE [#|seed g|]cardE E /= addnC addSn. exact: leqnn. }
have [x [X0 [r Xr] Xl]] := common_zero _ _ l a A Hl.
have pair (F : label g * text g -> R) : \rsum_(yz : label g * text g) F yz =
  \rsum_(y : label g) \rsum_(z : text g) F (y, z).
{ rewrite pair_big. by apply: eq_bigr => -[y z] _. }
set e : seed g -> text g -> R := fun i z => x (lab i, z) / mass p (lab i) z.
have Ms y z : mass_shift p e y z = x (y, z).
{ have -> : mass_shift p e y z = (mass p y z - anchor y z) * (x (y, z) / mass p y z).
  { set c := _ / _. rewrite /mass /Rminus Rplus_assoc Rplus_opp_r Rplus_0_r -rsum_scalr. apply: rsum_ext => i.
    rewrite /c. case: eqP => [<-|_]; [exact: esym (Rmult_assoc _ _ _)|exact: esym (Rmult_0_l _)]. }
  case H: ((y, z) \in A); last by rewrite X0 ?H //; rewrite /Rdiv; ring.
  have [-> P] := HA y z H. field. lra. }
have Tx z : \rsum_(y : label g) x (y, z) = 0.
{ case H: (z \in [set yz.2 | yz in A]).
  - have := Xl (inl z). rewrite mem_cat map_f ?mem_enum // => /(_ isT). rewrite pair rsum_swap => H'. apply: etrans H'.
    rewrite -(rsum_select _ z (fun t => \rsum_(y : label g) x (y, t))). apply: rsum_ext => t. rewrite /=.
    case: eqP => _; [|rewrite -[LHS](rsum_0 (label g))]; apply: rsum_ext => y; ring.
  - rewrite -[RHS](rsum_0 (label g)). apply: rsum_ext => y. apply: X0. apply/negP => Hy. move/negP: H; apply.
    by apply/imsetP; exists (y, z). }
have Sx i : i \in l0 -> \rsum_(z : text g) (p i z * e i z) = 0.
{ move=> Hi. have := Xl (inr i). rewrite mem_cat (map_f inr) // orbT => /(_ isT). rewrite pair => H. apply: etrans H.
  rewrite -(rsum_select _ (lab i) (fun y => \rsum_(z : text g) (p i z * (x (y, z) / mass p y z)))).
  apply: rsum_ext => y /=.
  case: eqP => _; [|rewrite -[LHS](rsum_0 (text g))]; apply: rsum_ext => t; rewrite /Rdiv; ring. }

(* The equation of one seed follows from the others: that is why as many texts as seeds are enough. *)
have Ce : centred p e.
{ move=> i. have : i \in i0 :: l0 by rewrite -E mem_enum. rewrite in_cons => /orP [/eqP ->|]; last exact: Sx.
  have T0 : \rsum_(j : seed g) (rho j * \rsum_(z : text g) (p j z * e j z)) = 0.
  { have Z : \rsum_(y : label g) \rsum_(z : text g) x (y, z) = 0.
    { rewrite rsum_swap -[RHS](rsum_0 (text g)). exact: rsum_ext Tx. }
    apply: etrans Z. rewrite (rsum_by_label (fun j _ => rho j * \rsum_(z : text g) (p j z * e j z))).
    apply: rsum_ext => y.
    rewrite -(rsum_ext _ _ _ (Ms y)) /mass_shift rsum_swap. apply: rsum_ext => j.
    by case: eqP => _; [rewrite rsum_scal|rewrite rsum_0]. }
  have : rho i0 * (\rsum_(z : text g) (p i0 z * e i0 z)) = 0.
  { apply: etrans T0. rewrite -(rsum_select _ i0 (fun j => rho j * \rsum_(z : text g) (p j z * e j z))).
    apply: rsum_ext => j.
    case: eqP => // N. have : j \in i0 :: l0 by rewrite -E mem_enum.
    rewrite in_cons => /orP [/eqP M|/Sx ->]; [by case: N|ring]. }
  by case/Rmult_integral => // H; have := rho_pos i0; lra. }
exists e. split=> //. split.
- case: (inner_ge0 p Hp e) => // H. exfalso. apply: Xr. case: r => y z. rewrite -Ms -[RHS](rsum_0 (seed g)).
  apply: rsum_ext => i. rewrite no_perturbation // Rmult_0_r. by case: eqP.
- move=> i z _. have R t : posterior_shift p e (lab i) t = e i t by
    rewrite /posterior_shift (rsum_ext _ _ _ (Ms^~ t)) Tx Ms /Rdiv Rmult_0_l Rminus_0_r.
  rewrite /response /centre R. have := Ce i.
  have -> : \rsum_(t : text g) (p i t * e i t) = \rsum_(t : text g) (p i t * posterior_shift p e (lab i) t) by
    apply: rsum_ext => t; rewrite R.
  lra.
Qed.

Corollary eigenvalue_1_unanchored : (forall y z, @anchor g y z = 0) -> (forall y z, 0 < mass p y z) ->
  (#|seed g| + #|text g| <= #|label g| * #|text g|)%nat -> exists e, eigenvector p 1 e.
Proof.
move=> H0 HP HN. apply: (eigenvalue_1 [set: label g * text g]) => [y z _|]; first by split.
rewrite cardsT card_prod. apply: leq_trans HN. rewrite leq_add2l. exact: max_card.
Qed.

Corollary threshold tau : (forall y z, @anchor g y z = 0) -> (forall y z, 0 < mass p y z) ->
  (#|seed g| + #|text g| <= #|label g| * #|text g|)%nat -> 0 < beta g -> 0 <= tau ->
  (forall nu e, eigenvector p nu e -> Rabs ((tau - nu) / (tau + beta g)) < 1) <-> 1 < 2 * tau + beta g.
Proof.
move=> H0 HP HN Hb Ht. split=> [H|H nu e He].
- have [e He] := eigenvalue_1_unanchored H0 HP HN.
  apply: (proj1 (factor_stable tau (beta g) 1 Hb Ht _)); [lra|exact: H He].
- have R := eigenvalue_range p Hp nu e He. apply/factor_stable => //; lra.
Qed.
End Attained.

Section Contracts.
Context {g : game}.
Variable p : generator g.
Hypothesis Hp : is_generator p.
Implicit Types e f : seed g -> text g -> R.

Let along e f t : seed g -> text g -> R := fun i z => e i z + t * f i z.

Lemma mass_shift_along e f t y z : mass_shift p (along e f t) y z = mass_shift p e y z + t * mass_shift p f y z.
Proof. rewrite /mass_shift -rsum_scal -rsum_add. apply: rsum_ext => i. case: eqP => _; rewrite /along; ring. Qed.

Lemma centred_along e f t : centred p e -> centred p f -> centred p (along e f t).
Proof.
move=> Ce Cf i. rewrite (rsum_ext _ _ (fun z => p i z * e i z + t * (p i z * f i z))); last by move=> z;
  rewrite /along; ring.
rewrite rsum_add rsum_scal Ce Cf. ring.
Qed.

Lemma centred_centre s : centred p (centre p s).
Proof.
move=> i. rewrite /centre. set c := \rsum_(t : text g) (p i t * s (lab i) t).
rewrite (rsum_ext _ _ (fun z => p i z * s (lab i) z - p i z * c)); last by move=> z; ring.
rewrite rsum_sub rsum_scalr (proj2 (proj2 Hp)). rewrite /c. ring.
Qed.

Lemma inner_along e f t : inner p (along e f t) (along e f t) = inner p e e + 2 * t * inner p f e + t ^ 2 * inner p f f.
Proof. rewrite /inner -!avg_scal -!avg_add. apply: avg_ext => i z. rewrite /along. ring. Qed.

Lemma response_along e f t : centred p e -> centred p f -> inner p (along e f t) (response p (along e f t)) =
  inner p e (response p e) + 2 * t * inner p f (response p e) + t ^ 2 * inner p f (response p f).
Proof.
move=> Ce Cf. rewrite !response_form //; last exact: centred_along. rewrite -!rsum_scal -!rsum_add.
apply: rsum_ext => z.
have S a : \rsum_(y : label g) mass_shift p (along e f t) y z = a -> a =
  \rsum_(y : label g) mass_shift p e y z + t * \rsum_(y : label g) mass_shift p f y z.
{ move=> <-. rewrite -rsum_scal -rsum_add. apply: rsum_ext => y. exact: mass_shift_along. }
rewrite /form (S _ erefl). set a := \rsum_(y : label g) mass_shift p e y z.
set b := \rsum_(y : label g) mass_shift p f y z.
have -> : \rsum_(y : label g) (mass_shift p (along e f t) y z * mass_shift p (along e f t) y z / mass p y z) =
  \rsum_(y : label g) (mass_shift p e y z * mass_shift p e y z / mass p y z) +
  2 * t * (\rsum_(y : label g) (mass_shift p f y z * mass_shift p e y z / mass p y z)) +
  t ^ 2 * \rsum_(y : label g) (mass_shift p f y z * mass_shift p f y z / mass p y z).
{ rewrite -!rsum_scal -!rsum_add. apply: rsum_ext => y. rewrite mass_shift_along /Rdiv. ring. }
rewrite /Rdiv. ring.
Qed.

(* A self-adjoint operator whose form lies in [-m, m] has norm at most m (polarisation): no eigenvectors needed. *)
Theorem linearised_contracts k m tau e : centred p e -> 0 < tau + beta g -> 0 < m -> tau <= m -> k - tau <= m ->
  (forall f, centred p f -> inner p f (response p f) <= k * inner p f f) ->
  inner p (linearised p tau e) (linearised p tau e) <= (m / (tau + beta g)) ^ 2 * inner p e e.
Proof.
move=> Ce Hk Hm H1 H2 Hle. set f : seed g -> text g -> R := fun i z => tau * e i z - response p e i z.
have Cf : centred p f.
{ move=> i. rewrite (rsum_ext _ _ (fun z => tau * (p i z * e i z) - p i z * response p e i z)); last by move=> z;
    rewrite /f; ring.
  rewrite rsum_sub rsum_scal Ce centred_centre. ring. }
have -> : inner p (linearised p tau e) (linearised p tau e) = (/ (tau + beta g)) ^ 2 * inner p f f.
{ rewrite /inner -avg_scal. apply: avg_ext => i z. rewrite /linearised -/(f i z). field. lra. }
have F : inner p f f = tau * inner p f e - inner p f (response p e).
{ rewrite /inner -avg_scal -avg_sub. apply: avg_ext => i z. rewrite {2}/f. ring. }
have U t := response_ge0 p Hp _ (centred_along e f t Ce Cf). have V t := Hle _ (centred_along e f t Ce Cf).
have W t := inner_ge0 p Hp (along e f t).
suff : inner p f f <= m ^ 2 * inner p e e.
{ move/(Rmult_le_compat_l ((/ (tau + beta g)) ^ 2) _ _ (pow2_ge_0 _)). rewrite /Rdiv. lra. }
have := U (/ m). have := V (- / m). have := W (/ m). have := W (- / m).
rewrite !inner_along !response_along // => W1 W2 V1 U1.
have A := Rmult_le_compat_r _ _ _ W2 H1. have B := Rmult_le_compat_r _ _ _ W1 H2.
have T : m * / m = 1 by field; lra. have I := Rinv_0_lt_compat _ Hm. set t := / m in A B U1 V1 T I *.
have M : m * t ^ 2 = t by rewrite /= Rmult_1_r -Rmult_assoc T Rmult_1_l.
have C : t * inner p f f <= m * inner p e e.
{ have P : t * inner p f f = t * (tau * inner p f e - inner p f (response p e)) by rewrite -F.
  have P' : m * t ^ 2 * inner p f f = t * inner p f f by rewrite M. lra. }
have := Rmult_le_compat_l _ _ _ (Rlt_le _ _ Hm) C. rewrite -Rmult_assoc T. lra.
Qed.
End Contracts.

Corollary linearised_rate (g : game) p tau e : @is_generator g p -> centred p e -> 0 < tau + beta g ->
  inner p (linearised p tau e) (linearised p tau e) <= (Rmax tau (1 - tau) / (tau + beta g)) ^ 2 * inner p e e.
Proof.
move=> Hp Ce Hk. have A := Rmax_l tau (1 - tau). have B := Rmax_r tau (1 - tau).
apply: (linearised_contracts p Hp 1) => //; first lra. move=> f Cf. rewrite Rmult_1_l. exact: response_le1.
Qed.

Lemma rate_lt1 tau beta : 0 < beta -> 0 < tau + beta -> Rmax tau (1 - tau) / (tau + beta) < 1 <-> 1 < 2 * tau + beta.
Proof.
move=> Hb Hk. have E : Rmax tau (1 - tau) / (tau + beta) * (tau + beta) = Rmax tau (1 - tau) by field; lra.
have A := Rmax_l tau (1 - tau). have B := Rmax_r tau (1 - tau). split=> H.
- have := Rmult_lt_compat_r _ _ _ Hk H. rewrite E. lra.
- apply: (Rmult_lt_reg_r _ _ _ Hk). rewrite E. apply: Rmax_lub_lt; lra.
Qed.

Section TwoLabels.
Context {g : game}.
Variables (p : generator g) (a b : label g).
Hypothesis Hp : is_generator p.
Hypothesis no_anchor : forall y z, @anchor g y z = 0.
Hypothesis distinct : a <> b.
Hypothesis two_labels : forall y, y = a \/ y = b.
Implicit Types (e : seed g -> text g -> R) (s : label g -> text g -> R) (f : text g -> R).

Definition harmonic z := mass p a z * mass p b z / text_mass p z.

Definition overlap y z t := \rsum_(i : seed g) (if lab i == y then rho i * (p i z * p i t) else 0).

Definition similarity z t :=
  sqrt (harmonic z) * (\rsum_(y : label g) (overlap y z t / mass p y z / mass p y t)) * sqrt (harmonic t).

Definition similarity_form f f' := \rsum_(z : text g) \rsum_(t : text g) (f z * similarity z t * f' t).

Theorem similarity_symmetric z t : similarity z t = similarity t z.
Proof.
rewrite /similarity (rsum_ext _ _ (fun y => overlap y t z / mass p y t / mass p y z)); first ring.
move=> y. have -> : overlap y z t = overlap y t z by apply: rsum_ext => i; case: eqP => _; ring. rewrite /Rdiv; ring.
Qed.

Let sign y : R := if y == a then 1 else -1.
Let scale y z := sqrt (harmonic z) / mass p y z.
Let lift f y z := sign y * scale y z * f z.
Let unlift s z := \rsum_(y : label g) (sign y * scale y z * s y z).

Lemma label_sum (F : label g -> R) : \rsum_(y : label g) F y = F a + F b.
Proof.
rewrite -(rsum_select _ a F) -(rsum_select _ b F) -rsum_add. apply: rsum_ext => y.
by case: (two_labels y) => ->; rewrite eqxx /=; case: eqP => [E|_]; try (by case: distinct); ring.
Qed.

Lemma sign_a : sign a = 1. Proof. by rewrite /sign eqxx. Qed.
Lemma sign_b : sign b = -1. Proof. rewrite /sign. by case: eqP => // E; case: distinct. Qed.

Lemma sign_square y : sign y * sign y = 1.
Proof. rewrite /sign. case: eqP => _; ring. Qed.

Lemma text_mass_two z : text_mass p z = mass p a z + mass p b z.
Proof. exact: label_sum. Qed.

Lemma harmonic_ge0 z : 0 <= harmonic z.
Proof.
have A := mass_ge0 p a z Hp. have B := mass_ge0 p b z Hp. rewrite /harmonic text_mass_two.
case: A => [A|<-]; last lra. apply: Rmult_le_pos; first by apply: Rmult_le_pos; lra. left; apply: Rinv_0_lt_compat; lra.
Qed.

Lemma harmonic_pos z : 0 < harmonic z -> 0 < mass p a z /\ 0 < mass p b z.
Proof.
rewrite /harmonic => H. case: (mass_ge0 p a z Hp) => A; last by exfalso; move: H; rewrite -A; lra.
case: (mass_ge0 p b z Hp) => B; last by exfalso; move: H; rewrite -B; lra. by [].
Qed.

Lemma harmonic_0 z : harmonic z = 0 -> mass p a z = 0 \/ mass p b z = 0.
Proof.
case: (mass_ge0 p a z Hp) => A; last by left. case: (mass_ge0 p b z Hp) => B; last by right.
rewrite /harmonic text_mass_two => H. have : 0 < mass p a z * mass p b z / (mass p a z + mass p b z); last lra.
apply: Rdiv_lt_0_compat; [exact: Rmult_lt_0_compat|lra].
Qed.

(* The matrix K_y = diag(P_y) - S_y. *)
Lemma mass_shift_centre s y z :
  mass_shift p (centre p s) y z = mass p y z * s y z - \rsum_(t : text g) (overlap y z t * s y t).
Proof.
have M : mass p y z = \rsum_(i : seed g) (if lab i == y then rho i * p i z else 0) by rewrite /mass no_anchor; ring.
rewrite M -rsum_scalr (rsum_ext _ (fun t => overlap y z t * s y t)
  (fun t => \rsum_(i : seed g) ((if lab i == y then rho i * (p i z * p i t) else 0) * s y t))); last by move=> t;
    rewrite rsum_scalr.
rewrite rsum_swap -rsum_sub. apply: rsum_ext => i. case: eqP => [E|_].
- rewrite /centre E (rsum_ext _ (fun t => rho i * (p i z * p i t) * s y t) (fun t => rho i * p i z * (p i t * s y t)));
    last by move=> t; ring.
  rewrite rsum_scal. ring.
- rewrite (rsum_ext _ (fun t => 0 * s y t) (fun t => 0)); last by move=> t; ring. rewrite rsum_0. ring.
Qed.

Lemma posterior_shift_two e y z : 0 < mass p y z -> posterior_shift p e y z = lift (unlift (mass_shift p e)) y z.
Proof.
rewrite /posterior_shift /lift /unlift !label_sum text_mass_two /scale.
case: (harmonic_ge0 z) => H Hy.
- have [A B] := harmonic_pos z H.
  have -> : sign y * (sqrt (harmonic z) / mass p y z) * (sign a * (sqrt (harmonic z) / mass p a z) * mass_shift p e a z
    +
    sign b * (sqrt (harmonic z) / mass p b z) * mass_shift p e b z) =
      sign y * (sqrt (harmonic z) * sqrt (harmonic z)) / mass p y z *
    (sign a * mass_shift p e a z / mass p a z + sign b * mass_shift p e b z / mass p b z) by rewrite /Rdiv; ring.
  rewrite sqrt_sqrt; last by left. rewrite /harmonic text_mass_two.
  by case: (two_labels y) => ->; rewrite ?sign_a ?sign_b; field; lra.
- rewrite -H sqrt_0 /Rdiv !Rmult_0_l Rmult_0_r Rmult_0_l.
  case: (harmonic_0 z (esym H)) (two_labels y) Hy => Z [] -> Hy; try lra; rewrite Z (mass_shift_0 p Hp _ _ _ Z); field;
    lra.
Qed.

Lemma scale_0 y z : harmonic z = 0 -> scale y z = 0.
Proof. move=> H. rewrite /scale H sqrt_0. lra. Qed.

Lemma scale_sum z : 0 < harmonic z -> \rsum_(y : label g) (mass p y z * (scale y z * scale y z)) = 1.
Proof.
move=> H. have [A B] := harmonic_pos z H. rewrite label_sum /scale.
have S := sqrt_sqrt _ (harmonic_ge0 z). set r := sqrt _ in S *.
have -> : mass p a z * (r / mass p a z * (r / mass p a z)) + mass p b z * (r / mass p b z * (r / mass p b z)) =
  r * r * (/ mass p a z + / mass p b z) by field; lra.
rewrite S /harmonic text_mass_two. field; lra.
Qed.

Lemma similarity_scale z t : similarity z t = \rsum_(y : label g) (scale y z * overlap y z t * scale y t).
Proof.
rewrite /similarity -rsum_scal -rsum_scalr. apply: rsum_ext => y. rewrite /scale /Rdiv. ring.
Qed.

(* Each seed adds a square to the form. *)
Lemma similarity_squares f f' : similarity_form f f' = \rsum_(i : seed g) (rho i *
  ((\rsum_(z : text g) (p i z * (scale (lab i) z * f z))) * (\rsum_(t : text g) (p i t * (scale (lab i) t * f' t))))).
Proof.
have E z t : f z * similarity z t * f' t =
  \rsum_(i : seed g) (rho i * (p i z * (scale (lab i) z * f z)) * (p i t * (scale (lab i) t * f' t))).
{ rewrite (rsum_by_label (fun i y => rho i * (p i z * (scale y z * f z)) * (p i t * (scale y t * f' t)))).
  rewrite similarity_scale -rsum_scal -rsum_scalr. apply: rsum_ext => y.
  have -> : f z * (scale y z * overlap y z t * scale y t) * f' t =
    f z * scale y z * scale y t * f' t * overlap y z t by ring.
  rewrite /overlap -rsum_scal. apply: rsum_ext => i. case: eqP => _; ring. }
rewrite /similarity_form (rsum_ext _ _ (fun z => \rsum_(i : seed g) (rho i * (p i z * (scale (lab i) z * f z)) *
  (\rsum_(t : text g) (p i t * (scale (lab i) t * f' t)))))).
- rewrite rsum_swap. apply: rsum_ext => i. rewrite rsum_scalr rsum_scal. ring.
- move=> z. rewrite (rsum_ext _ _ _ (E z)) rsum_swap. apply: rsum_ext => i. by rewrite rsum_scal.
Qed.

Theorem similarity_ge0 f : 0 <= similarity_form f f.
Proof.
rewrite similarity_squares. apply: rsum_ge0 => i. apply: Rmult_le_pos; [left; exact: rho_pos|exact: Rle_0_sqr].
Qed.

Theorem similarity_le f : similarity_form f f <= \rsum_(z : text g) (f z * f z).
Proof.
rewrite similarity_squares.
apply: (Rle_trans _ (\rsum_(i : seed g) (rho i * \rsum_(z : text g) (p i z * (scale (lab i) z * f z) ^ 2)))).
- apply: rsum_le => i. apply: Rmult_le_compat_l; first by left; exact: rho_pos.
  have W z : 0 <= p i z * (scale (lab i) z * f z) ^ 2 by apply: Rmult_le_pos; [exact: (proj1 Hp)|exact: pow2_ge_0].
  have := cauchy_schwarz (fun z => p i z * (scale (lab i) z * f z)) (p i) _ (proj1 Hp i) W.
  rewrite (proj2 (proj2 Hp)) Rmult_1_l /= Rmult_1_r. apply=> z. right; ring.
- rewrite (rsum_ext _ _ (fun i => \rsum_(z : text g) (rho i * p i z * (scale (lab i) z * f z) ^ 2))); last first.
  { move=> i. rewrite -rsum_scal. apply: rsum_ext => z. ring. }
  rewrite rsum_swap. apply: rsum_le => z.
  rewrite (rsum_by_label (fun i y => rho i * p i z * (scale y z * f z) ^ 2)).
  rewrite (rsum_ext _ _ (fun y => mass p y z * (scale y z * scale y z) * (f z * f z))); last first.
  { move=> y. rewrite /mass no_anchor Rplus_0_r Rmult_assoc -rsum_scalr. apply: rsum_ext => i. case: eqP => _; ring. }
  rewrite rsum_scalr. case: (harmonic_ge0 z) => H; first by rewrite scale_sum //; lra.
  rewrite (rsum_ext _ _ (fun _ => 0)) ?rsum_0; last by move=> y; rewrite scale_0 //; ring.
  rewrite Rmult_0_l. exact: Rle_0_sqr.
Qed.

Lemma unlift_0 s z : harmonic z = 0 -> unlift s z = 0.
Proof. move=> H. rewrite -[RHS](rsum_0 (label g)). apply: rsum_ext => y. rewrite scale_0 //. ring. Qed.

(* N = I - M. *)
Lemma unlift_lift f z : (harmonic z = 0 -> f z = 0) ->
  unlift (mass_shift p (centre p (lift f))) z = f z - \rsum_(t : text g) (similarity z t * f t).
Proof.
move=> Hf. have E : \rsum_(t : text g) (similarity z t * f t) =
  \rsum_(y : label g) (scale y z * \rsum_(t : text g) (overlap y z t * (scale y t * f t))).
{ rewrite (rsum_ext _ _ (fun t => \rsum_(y : label g) (scale y z * overlap y z t * scale y t * f t))).
  - rewrite rsum_swap. apply: rsum_ext => y. rewrite -rsum_scal. apply: rsum_ext => t. ring.
  - move=> t. by rewrite similarity_scale rsum_scalr. }
rewrite E. have F : f z = \rsum_(y : label g) (mass p y z * (scale y z * scale y z) * f z).
{ rewrite rsum_scalr. case: (harmonic_ge0 z) => H; [rewrite scale_sum //; ring|rewrite (Hf (esym H)); ring]. }
rewrite [X in X - _]F -rsum_sub. apply: rsum_ext => y. rewrite mass_shift_centre /lift.
rewrite (rsum_ext _ _ (fun t => sign y * (overlap y z t * (scale y t * f t)))); last by move=> t; ring.
rewrite rsum_scal. set S := \rsum_(t : text g) _. have := sign_square y. set u := sign y. set c := scale y z.
set m := mass p y z => Q.
have -> : u * c * (m * (u * c * f z) - u * S) = u * u * (m * (c * c) * f z - c * S) by ring.
rewrite Q. ring.
Qed.

Lemma mass_shift_on e e' y z : (forall i, 0 < p i z -> e i z = e' i z) -> mass_shift p e y z = mass_shift p e' y z.
Proof.
move=> H. apply: rsum_ext => i. case: eqP => // _. case: (proj1 Hp i z) => [P|<-]; [by rewrite H|ring].
Qed.

Lemma response_two e i z : 0 < p i z -> response p e i z = centre p (lift (unlift (mass_shift p e))) i z.
Proof.
have M t : 0 < p i t -> 0 < mass p (lab i) t.
{ move=> P. rewrite /mass no_anchor Rplus_0_r. apply: (rsum_gt0 _ _ i) => [j|]; first exact: mass_term_ge0.
  rewrite eqxx. apply: Rmult_lt_0_compat => //. exact: rho_pos. }
move=> P. rewrite /response /centre posterior_shift_two; last exact: M. congr (_ - _). apply: rsum_ext => t.
case: (proj1 Hp i t) => [Q|<-]; [rewrite posterior_shift_two //; exact: M|ring].
Qed.

Lemma centre_scal c f i z : centre p (lift (fun z => c * f z)) i z = c * centre p (lift f) i z.
Proof. rewrite /centre /lift Rmult_minus_distr_l -rsum_scal. congr (_ - _); first ring. apply: rsum_ext => t. ring. Qed.

Lemma unlift_scal c s z : unlift (fun y z => c * s y z) z = c * unlift s z.
Proof. rewrite /unlift -rsum_scal. apply: rsum_ext => y. ring. Qed.

Lemma zero_or_not f : (exists z, f z <> 0) \/ forall z, f z = 0.
Proof.
case: (pickP (fun z => ~~ Req_EM_T (f z) 0)) => [z /negP N|H].
- left. exists z => E. apply: N. by case: Req_EM_T.
- right=> z. by have := H z; case: Req_EM_T.
Qed.

Lemma mass_shift_scal c e y z : mass_shift p (fun i z => c * e i z) y z = c * mass_shift p e y z.
Proof. rewrite /mass_shift -rsum_scal. apply: rsum_ext => i. case: eqP => _; ring. Qed.

(* The nonzero eigenvalues of the response are the nu = 1 - mu, mu an eigenvalue of the similarity. *)
Theorem similarity_spectrum nu : nu <> 0 ->
  (exists e, eigenvector p nu e) <->
  (exists f, [/\ exists z, f z <> 0, forall z, harmonic z = 0 -> f z = 0 &
    forall z, \rsum_(t : text g) (similarity z t * f t) = (1 - nu) * f z]).
Proof.
move=> N. split.
- move=> [e [C [P H]]]. set f := unlift (mass_shift p e).
  have Z z : harmonic z = 0 -> f z = 0 by exact: unlift_0.
  have R i z : 0 < p i z -> centre p (lift f) i z = nu * e i z by move=> Q; rewrite -H // response_two.
  exists f. split=> //.
  + case: (zero_or_not f) => // F. exfalso. have := eigenvector_form p Hp nu e (conj C (conj P H)).
    rewrite (inner_on_support p Hp e _ (fun _ _ => 0)); last first.
    { move=> i z Q. rewrite response_two // -/f /centre /lift F (rsum_ext _ _ (fun t => 0)); last by move=> t;
        rewrite F; ring.
      rewrite rsum_0. ring. }
    have -> : inner p e (fun _ _ => 0) = 0 by rewrite /inner (avg_ext _ (fun i z => 0 * p i z)) ?avg_scal;
      [ring|move=> i z; ring].
    move=> E. case: (Rmult_integral _ _ (esym E)) => //. lra.
  + move=> z. have := unlift_lift f z (Z z).
    have -> : unlift (mass_shift p (centre p (lift f))) z = nu * f z; last lra.
    rewrite -unlift_scal. apply: rsum_ext => y. congr (_ * _). rewrite -mass_shift_scal. apply: mass_shift_on => i.
    exact: R.
- move=> [f [[z0 F0] Z H]]. set e := centre p (lift f). have C : centred p e by exact: centred_centre.
  have U z : unlift (mass_shift p e) z = nu * f z by rewrite unlift_lift ?H; [ring|exact: Z].
  exists e. split=> //. split.
  + case: (inner_ge0 p Hp e) => // E. exfalso. have := U z0.
    have -> : unlift (mass_shift p e) z0 = 0.
    { rewrite -[RHS](rsum_0 (label g)). apply: rsum_ext => y. have -> : mass_shift p e y z0 = 0; last ring.
      rewrite -[RHS](rsum_0 (seed g)). apply: rsum_ext => i. rewrite no_perturbation //. case: eqP => _; ring. }
    move=> Q. case: (Rmult_integral _ _ (esym Q)) => //.
  + move=> i z Q. rewrite response_two // -centre_scal /centre /lift U. congr (_ - _). apply: rsum_ext => t.
    by rewrite U.
Qed.
End TwoLabels.
