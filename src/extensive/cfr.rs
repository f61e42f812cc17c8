//! Counterfactual regret minimisation: regret matching at every information set of both players.
//!
//! One body; a [`Rule`] says how regrets are kept. Each step is one sparse product, one sweep up the
//! player's information sets and one down.

use super::game::Player;
use super::sequence::SequenceForm;
use super::treeplex::Plan;
use crate::dynamics::{Order, Round, Update, play};
use crate::{Error, Result};
use std::sync::Arc;

/// How regrets are kept and averages weighted.
///
/// After round t, positive cumulative regrets are multiplied by t^alpha/(t^alpha + 1) and negative
/// ones by t^beta/(t^beta + 1); an infinite exponent means by 1, a negative infinite one by 0. The
/// next local strategy is proportional to the positive regrets, to which a predictive rule first adds
/// the latest ones. Round t counts t^gamma times in the average.
///
/// Guarantees in simultaneous play, for payoffs that differ by at most D. Let B be
/// D sum_I sqrt(|A(I)|) over both players' information sets. After T rounds the uniform averages of
/// CFR and CFR+ have a gap of at most B/sqrt(T), those of predictive CFR+ sqrt(8) B/sqrt(T), the linear
/// averages of CFR+ 2 B/sqrt(T), and the quadratic ones of DCFR
/// 6 D sum_I (sqrt(|A(I)|) + 1/sqrt(T))/sqrt(T). In practice, and with alternating play, all but CFR
/// do far better.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// Discount exponent of positive regrets.
    pub alpha: f64,
    /// Discount exponent of negative regrets.
    pub beta: f64,
    /// Weight exponent of the average.
    pub gamma: f64,
    /// Whether the latest regrets are counted twice, as a guess of the next ones.
    pub predictive: bool,
}

impl Rule {
    /// CFR. Zinkevich, Johanson, Bowling and Piccione, Regret minimization in games with incomplete
    /// information, 2007.
    pub const CFR: Self =
        Self { alpha: f64::INFINITY, beta: f64::INFINITY, gamma: 0.0, predictive: false };

    /// CFR+: negative regrets are forgotten, averages are linear. Tammelin, Solving large imperfect
    /// information games using CFR+, 2014.
    pub const CFR_PLUS: Self =
        Self { alpha: f64::INFINITY, beta: f64::NEG_INFINITY, gamma: 1.0, predictive: false };

    /// Predictive CFR+, quadratic averages. Farina, Kroer and Sandholm, Faster game solving via
    /// predictive Blackwell approachability, 2021.
    pub const PREDICTIVE_CFR_PLUS: Self =
        Self { alpha: f64::INFINITY, beta: f64::NEG_INFINITY, gamma: 2.0, predictive: true };

    /// Discounted CFR with the authors' (3/2, 0, 2). Brown and Sandholm, Solving imperfect-information
    /// games via discounted regret minimization, 2019.
    pub const DCFR: Self = Self { alpha: 1.5, beta: 0.0, gamma: 2.0, predictive: false };
}

/// One player's CFR update. Its regrets say what the player does at every information set, also at
/// those its plan does not reach, so `me` is not consulted: start at the uniform plan, as [`run`]
/// does, and pass each plan on.
pub struct Cfr<'a> {
    form: &'a SequenceForm,
    player: Player,
    rule: Rule,
    t: u32,
    /// Cumulative regret of each sequence's last action.
    regret: Vec<f64>,
    /// Probability of each sequence's last action at its information set.
    strategy: Vec<f64>,
    /// Counterfactual values, kept to spare the allocation.
    value: Vec<f64>,
}

impl<'a> Cfr<'a> {
    /// No regrets, uniform strategies.
    pub fn new(form: &'a SequenceForm, player: Player, rule: Rule) -> Self {
        let side = form.side(player);
        let mut strategy = vec![1.0; side.sequences()];
        for set in side.information_sets() {
            strategy[set.sequences()].fill(1.0 / set.actions.len() as f64);
        }
        let zeros = vec![0.0; side.sequences()];
        Self { form, player, rule, t: 0, regret: zeros.clone(), strategy, value: zeros }
    }
}

impl Update<Plan, Plan> for Cfr<'_> {
    fn step(&mut self, _me: &Plan, opponent: &Plan) -> Result<Plan> {
        self.t += 1;
        self.form.earnings_into(self.player, opponent, &mut self.value)?;
        let keep_positive = discount(self.t, self.rule.alpha);
        let keep_negative = discount(self.t, self.rule.beta);
        let guess = if self.rule.predictive { 1.0 } else { 0.0 };
        let sets = self.form.side(self.player).information_sets();
        let mut finite = true;
        for set in sets.iter().rev() {
            let own = set.sequences();
            let values = &self.value[own.clone()];
            let strategy = &mut self.strategy[own.clone()];
            let value: f64 = values.iter().zip(&*strategy).map(|(v, p)| v * p).sum();
            let mut total = 0.0;
            for ((regret, p), v) in self.regret[own].iter_mut().zip(&mut *strategy).zip(values) {
                let latest = v - value;
                *regret += latest;
                *regret *= if *regret > 0.0 { keep_positive } else { keep_negative };
                let expected = *regret + guess * latest;
                finite &= expected.is_finite();
                *p = expected.max(0.0);
                total += *p;
            }
            finite &= total.is_finite();
            if total > 0.0 {
                strategy.iter_mut().for_each(|p| *p /= total);
            } else {
                strategy.fill(1.0 / strategy.len() as f64);
            }
            self.value[set.parent] += value;
        }
        if !finite {
            return Err(Error::invalid(
                "payoff",
                "the regrets leave the range of f64",
                "divide all payoffs",
            ));
        }
        let mut plan = self.strategy.clone();
        for set in sets {
            let parent = plan[set.parent];
            plan[set.sequences()].iter_mut().for_each(|p| *p *= parent);
        }
        Ok(Plan::trusted(plan))
    }
}

/// t^e/(t^e + 1).
fn discount(t: u32, exponent: f64) -> f64 {
    match exponent {
        f64::INFINITY => 1.0,
        f64::NEG_INFINITY => 0.0,
        e => 1.0 / (1.0 + f64::from(t).powf(-e)),
    }
}

/// The run of both players by one rule, from uniform plans.
///
/// The last iterates need not converge; [`average`] them. Alternating play converges faster (Burch,
/// Moravčík and Schmid, Revisiting CFR+ and alternating updates, 2019).
pub fn run(
    form: &SequenceForm,
    rule: Rule,
    order: Order,
) -> impl Iterator<Item = Result<Round<Plan, Plan>>> {
    let start = |player| Plan::uniform(form.side(player));
    let update = |player| Cfr::new(form, player, rule);
    play(start(Player::Max), start(Player::Min), order, update(Player::Max), update(Player::Min))
}

/// The same rounds with each player's plan replaced by the mean of its plans so far, round t
/// weighing t^gamma.
pub fn average(
    rounds: impl Iterator<Item = Result<Round<Plan, Plan>>>,
    gamma: f64,
) -> impl Iterator<Item = Result<Round<Plan, Plan>>> {
    let mut total = 0.0;
    let mut means: Option<[Vec<f64>; 2]> = None;
    rounds.map(move |round| {
        let Round { t, x, y } = round?;
        let weight = (t as f64).powf(gamma);
        total += weight;
        let plans = [x.as_slice(), y.as_slice()];
        let means = means.get_or_insert_with(|| plans.map(<[f64]>::to_vec));
        if weight > 0.0 {
            let share = weight / total;
            for (mean, plan) in means.iter_mut().zip(plans) {
                mean.iter_mut().zip(plan).for_each(|(m, v)| *m += share * (v - *m));
            }
        }
        let [x, y] = means.each_ref().map(|mean| Arc::new(Plan::trusted(mean.clone())));
        Ok(Round { t, x, y })
    })
}
