import { expect, test } from "vitest";
import { formsOf, formsText } from "./forms";

test("every form is offered where all can hold the model, also of an older record", () => {
  expect(formsOf({}).map(({ form }) => form)).toEqual(["keras", "h5", "tfjs"]);
  expect(formsOf(undefined)).toEqual(formsOf({}));
  expect(formsText({})).toBe(
    "The .keras and .h5 files open with Keras 3; the TF.js files open with tf.loadLayersModel.",
  );
});

test("what cannot hold the model is not offered, and the reason is said once", () => {
  const h5 = { h5: "A .h5 cannot hold it." };
  expect(formsOf(h5).map(({ form }) => form)).toEqual(["keras", "tfjs"]);
  expect(formsText(h5)).toBe(
    "The .keras file opens with Keras 3; the TF.js files open with tf.loadLayersModel. A .h5 cannot hold it.",
  );
  const both = { keras: "Keras 3 cannot.", h5: "Keras 3 cannot." };
  expect(formsOf(both).map(({ form }) => form)).toEqual(["tfjs"]);
  expect(formsText(both)).toBe("The TF.js files open with tf.loadLayersModel. Keras 3 cannot.");
});
