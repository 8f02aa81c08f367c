/** What may be searched of training itself: the parameters that the coordinator knows. Pure. */

import { form, type Needs, type ParameterForm } from "./form";

const ADAMS = ["adam", "adamw", "adamax", "nadam"];
const OPTIMIZERS = ["sgd", ...ADAMS, "rmsprop", "adagrad", "adadelta", "lion", "ftrl"];
const SCHEDULES = ["constant", "step", "piecewise", "exponential", "cosine", "one_cycle", "plateau"];

interface Numbers {
  readonly type?: "float" | "int";
  /** What holds while it is not set: a number, or words. */
  readonly standard: string;
  readonly value?: string;
  readonly low: string;
  readonly high: string;
}

function numbers(key: string, needs: Needs, { type = "float", standard, value = standard, low, high }: Numbers): ParameterForm {
  return form(key, type, { needs, standard, value, low, high, choices: value });
}

function flag(key: string, needs: Needs): ParameterForm {
  return form(key, "bool", { needs, standard: "no", value: "no", choices: "no, yes", allowed: ["no", "yes"] });
}

/** What every study starts from. */
export function trainingForms(): ParameterForm[] {
  return [
    form("learning_rate", "float", {
      mode: "range", value: "0.001", low: "0.0001", high: "0.1", log: true, choices: "0.001, 0.01",
    }),
    form("batch_size", "int", {
      mode: "fixed", value: "32", low: "16", high: "128", log: true, choices: "32, 64, 128",
    }),
    form("optimizer", "text", {
      mode: "fixed", value: "adam", choices: "sgd, adam, rmsprop", allowed: OPTIMIZERS,
    }),
  ];
}

/** An optimizer's own settings; unset means Keras 3's standard value. */
export function optimizerForms(): ParameterForm[] {
  const of = (...optimizer: string[]): Needs => ({ optimizer });
  const strength = { standard: "0.0", low: "0.0", high: "0.1" };
  return [
    numbers("momentum", of("sgd", "rmsprop"), { standard: "0.0", low: "0.0", high: "0.99" }),
    flag("nesterov", of("sgd")),
    numbers("beta_1", of(...ADAMS, "lion"), { standard: "0.9", low: "0.8", high: "0.99" }),
    numbers("beta_2", of(...ADAMS, "lion"), { standard: "0.999, Lion's 0.99", value: "0.999", low: "0.9", high: "0.9999" }),
    numbers("rho", of("rmsprop", "adadelta"), { standard: "0.9, Adadelta's 0.95", value: "0.9", low: "0.8", high: "0.99" }),
    numbers("epsilon", of(...ADAMS, "rmsprop", "adagrad", "adadelta"), { standard: "1e-7", low: "1e-8", high: "1e-3" }),
    flag("amsgrad", of("adam", "adamw")),
    flag("centered", of("rmsprop")),
    numbers("initial_accumulator_value", of("adagrad", "ftrl"), { standard: "0.1", low: "0.0", high: "1.0" }),
    numbers("learning_rate_power", of("ftrl"), { standard: "-0.5", low: "-1.0", high: "0.0" }),
    numbers("l1_regularization_strength", of("ftrl"), strength),
    numbers("l2_regularization_strength", of("ftrl"), strength),
    numbers("l2_shrinkage_regularization_strength", of("ftrl"), strength),
    numbers("beta", of("ftrl"), strength),
  ];
}

/** Weight decay, clipping and moving averages, which every optimizer takes. */
export function commonForms(): ParameterForm[] {
  const limit = { standard: "none", value: "1.0", low: "0.1", high: "10.0" };
  const averaged: Needs = { use_ema: ["yes"] };
  return [
    numbers("weight_decay", {}, { standard: "none, AdamW's 0.004", value: "0.004", low: "0.0001", high: "0.1" }),
    numbers("clipnorm", {}, limit),
    numbers("clipvalue", {}, limit),
    numbers("global_clipnorm", {}, limit),
    flag("use_ema", {}),
    numbers("ema_momentum", averaged, { standard: "0.99", low: "0.9", high: "0.999" }),
    numbers("ema_overwrite_frequency", averaged, { type: "int", standard: "never", value: "100", low: "10", high: "1000" }),
  ];
}

/** How the learning rate changes while a trial trains. */
export function scheduleForms(): ParameterForm[] {
  const on = (...schedule: string[]): Needs => ({ schedule });
  const share = { low: "0.1", high: "0.9" };
  return [
    form("schedule", "text", {
      standard: "constant", value: "cosine", choices: "constant, cosine", allowed: SCHEDULES,
    }),
    numbers("warmup_epochs", {}, { standard: "0.0", low: "0.0", high: "5.0" }),
    numbers("warmup_from", {}, { standard: "0.0", low: "0.0", high: "0.5" }),
    numbers("decay_epochs", on("exponential", "cosine", "one_cycle"), { standard: "all of them", value: "10", low: "5", high: "20" }),
    numbers("decay_rate", on("exponential"), { standard: "0.1", low: "0.01", high: "0.9" }),
    numbers("every_epochs", on("step"), { standard: "a third of them", value: "10", low: "5", high: "20" }),
    form("boundaries", "text", { needs: on("piecewise"), standard: "a half, three quarters", value: "10, 20" }),
    numbers("factor", on("step", "piecewise", "plateau"), { standard: "0.1", ...share }),
    numbers("alpha", on("cosine"), { standard: "0.0", low: "0.0", high: "0.5" }),
    numbers("rise_share", on("one_cycle"), { standard: "0.3", ...share }),
    numbers("start_divisor", on("one_cycle"), { standard: "25", low: "5", high: "100" }),
    numbers("end_divisor", on("one_cycle"), { standard: "10000", low: "10", high: "10000" }),
    numbers("patience", on("plateau"), { type: "int", standard: "10", low: "1", high: "20" }),
    numbers("min_delta", on("plateau"), { standard: "1e-4", low: "0.0", high: "0.01" }),
    numbers("cooldown", on("plateau"), { type: "int", standard: "0", low: "0", high: "10" }),
    numbers("min_lr", on("plateau"), { standard: "0.0", low: "0.0", high: "0.0001" }),
  ];
}

/** All of them, in the order of the page. */
export function allTrainingForms(): ParameterForm[] {
  return [...trainingForms(), ...optimizerForms(), ...commonForms(), ...scheduleForms()];
}
