import { describe, expect, test } from "vitest";
import { ApiError } from "../../protocol/http";
import type { FitOffer, Model } from "../../protocol/records";
import { NewStudyDraft } from "./draft.svelte";

function model(id: string, units: number): Model {
  const layer = {
    name: "hidden", class_name: "Dense", output_shape: [units], parameters: 40, trainable: true, forward_flops: "64",
    training_flops: "128", activation_bytes: "32", untrained_on: {}, own_class: "", searchable: { units },
  };
  const report = {
    source: "Keras 3 .h5", layers: [layer], parameters: 40, trainable_parameters: 40, input_shapes: {}, output_shapes: {},
    forward_flops: "64", training_flops: "128", activation_bytes: "32", warnings: [],
  };
  return { id, name: id, hash: "0".repeat(64), created_at: 0, report };
}

const offer: FitOffer = { model_id: "md_1", width: 192, was: 5, layers: ["hidden"], text: "The first layer starts anew." };

function typed(): NewStudyDraft {
  const draft = new NewStudyDraft();
  draft.useModel(model("md_1", 8));
  draft.fields.name = "Wheat";
  draft.fields.features = ["town"];
  const units = draft.fields.parameters.find((form) => form.key === "layers.hidden.units");
  if (units) [units.mode, units.choices] = ["choices", "4, 8"];
  draft.planError = new ApiError(400, { code: "pipeline.input_mismatch", message: "It does not fit.", offer });
  return draft;
}

const choices = (draft: NewStudyDraft): string | undefined =>
  draft.fields.parameters.find((form) => form.key === "layers.hidden.units")?.choices;

describe("a model that is fitted to the rows", () => {
  test("is offered where the plan's refusal says that it can be", () => {
    expect(typed().offer).toEqual(offer);
    expect(new NewStudyDraft().offer).toBeNull();
  });

  test("takes the other one's place, and nothing else of the draft is lost", () => {
    const draft = typed();
    draft.useModel(model("md_2", 8), true);
    expect(draft.fields).toMatchObject({ modelId: "md_2", name: "Wheat", features: ["town"] });
    expect(choices(draft)).toBe("4, 8");
  });

  test("another model has fields of its own", () => {
    const draft = typed();
    draft.useModel(model("md_3", 8));
    expect(choices(draft)).not.toBe("4, 8");
  });
});
