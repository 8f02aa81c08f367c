import { describe as group, expect, test } from "vitest";
import type { LayerReport, Parameter } from "../../protocol/records";
import { read } from "./form";
import { describe, fill, layerForms, readSpace, rungEpochs } from "./space";
import { allTrainingForms } from "./training_forms";

const dense: LayerReport = {
  name: "dense_1", class_name: "Dense", output_shape: [64], parameters: 10, trainable: true,
  forward_flops: "10", training_flops: "30", activation_bytes: "256", untrained_on: {}, own_class: "",
  searchable: { units: 64, activation: "relu", use_bias: true, rate: 0.5 },
};

function only(key: string) {
  const found = [...allTrainingForms(), ...layerForms([dense])].find((f) => f.key === key);
  if (!found) throw new Error(key);
  return found;
}

group("the search space as a form", () => {
  test("what a study starts from is valid and searches the learning rate", () => {
    const space = readSpace([...allTrainingForms(), ...layerForms([dense])]);
    expect(space.problems).toEqual({});
    expect(space.parameters).toEqual({
      learning_rate: { kind: "float", low: 0.0001, high: 0.1, log: true },
      batch_size: { kind: "fixed", value: 32 },
      optimizer: { kind: "fixed", value: "adam" },
    });
  });

  const parameters: [string, Parameter][] = [
    ["learning_rate", { kind: "fixed", value: 0.003 }],
    ["learning_rate", { kind: "float", low: 1e-7, high: 0.5, log: true }],
    ["batch_size", { kind: "int", low: 8, high: 8, log: false }],
    ["batch_size", { kind: "choice", choices: [16, 32] }],
    ["optimizer", { kind: "choice", choices: ["sgd", "rmsprop"] }],
    ["amsgrad", { kind: "choice", choices: [false, true] }],
    ["weight_decay", { kind: "float", low: 0.001, high: 0.1, log: true }],
    ["schedule", { kind: "choice", choices: ["constant", "one_cycle"] }],
    ["layers.dense_1.units", { kind: "choice", choices: [32, 64, 128] }],
    ["layers.dense_1.activation", { kind: "fixed", value: "tanh" }],
    ["layers.dense_1.use_bias", { kind: "fixed", value: false }],
    ["layers.dense_1.rate", { kind: "float", low: 0, high: 0.5, log: false }],
  ];
  test.each(parameters)("%s survives the way into the form and back: %j", (key, parameter) => {
    const others = ["optimizer"].filter((other) => other !== key).map((other) => only(other));
    const { parameters, problems } = readSpace([...others, fill(only(key), parameter)]);
    expect(parameters[key]).toEqual(parameter);
    expect(problems).toEqual({});
  });

  test("a parameter that is not asked for leaves nothing behind", () => {
    expect(readSpace([fill(only("batch_size"), undefined)]).parameters).toEqual({});
  });

  test.each([
    ["a range that is empty", { mode: "range", low: "2", high: "1" }, /empty/],
    ["a log range from zero", { mode: "range", low: "0", high: "1", log: true }, /above 0/],
    ["no number", { mode: "fixed", value: "fast" }, /not a number/],
    ["nothing", { mode: "fixed", value: " " }, /missing/],
    ["no choices", { mode: "choices", choices: " , " }, /at least one/],
  ] as const)("%s is a problem beside the field", (_, change, message) => {
    const space = readSpace([{ ...only("learning_rate"), log: false, ...change }]);
    expect(space.problems["learning_rate"]).toMatch(message);
    expect(space.parameters).toEqual({});
  });

  test("a fraction is no batch size and a stranger no optimizer", () => {
    const space = readSpace([
      { ...only("batch_size"), mode: "fixed", value: "1.5" },
      { ...only("optimizer"), mode: "fixed", value: "lyon" },
    ]);
    expect(space.problems["batch_size"]).toMatch(/whole/);
    expect(space.problems["optimizer"]).toMatch(/none of sgd/);
  });

  test("what no trial reads is neither shown nor sent, and comes back as it was typed", () => {
    const momentum = fill(only("momentum"), { kind: "fixed", value: 0.9 });
    const optimizer = (choices: string[]) => fill(only("optimizer"), { kind: "choice", choices });
    const adam = [optimizer(["adam", "lion"]), momentum];
    expect(read(adam)).toEqual([adam[0]]);
    expect(Object.keys(readSpace(adam).parameters)).toEqual(["optimizer"]);
    expect(readSpace([optimizer(["adam", "sgd"]), momentum]).parameters["momentum"]).toEqual({ kind: "fixed", value: 0.9 });
    const alpha = fill(only("alpha"), { kind: "fixed", value: 0.1 });
    expect(read([only("schedule"), alpha])).toHaveLength(1);
    expect(read([fill(only("schedule"), { kind: "fixed", value: "cosine" }), alpha])).toHaveLength(2);
  });

  test("the review reads as a sentence", () => {
    expect(describe({ kind: "float", low: 0.001, high: 0.1, log: true })).toBe("0.001 to 0.1, log scale");
    expect(describe({ kind: "choice", choices: [32, 64] })).toBe("one of 32, 64");
  });
});

group("rungs", () => {
  test("grow about threefold and end at the study's epochs", () => {
    expect(rungEpochs(27, 3)).toEqual([3, 9, 27]);
    expect(rungEpochs(10, 3)).toEqual([1, 3, 10]);
    expect(rungEpochs(10, 1)).toEqual([10]);
  });

  test("always ascend strictly, start at 1 or later and end at the epochs", () => {
    for (let epochs = 1; epochs <= 60; epochs++) {
      for (let count = 1; count <= 6; count++) {
        const rungs = rungEpochs(epochs, count);
        expect(rungs.at(-1)).toBe(epochs);
        expect(rungs[0]).toBeGreaterThanOrEqual(1);
        expect(rungs.every((r, i) => i === 0 || r > (rungs[i - 1] ?? 0))).toBe(true);
      }
    }
  });
});
