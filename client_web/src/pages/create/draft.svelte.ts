/** The draft of a new study: kept over steps, pages and reloads, until it is submitted. */

import { api, asApiError, read, type ApiError } from "../../protocol/http";
import type { Dataset, DonorsOf, FitOffer, FittedFrom, Group, Model, StudyPlan } from "../../protocol/records";
import { layerForms } from "./space";
import { concerns, emptyDraft, makeSpec, sentence, type Draft } from "./spec";

const KEY = "potluck.draft.v2";
const PLAN_AFTER_MS = 350;

function stored(): Draft {
  try {
    const text = sessionStorage.getItem(KEY);
    return text === null ? emptyDraft() : { ...emptyDraft(), ...(JSON.parse(text) as Draft) };
  } catch {
    return emptyDraft();
  }
}

export class NewStudyDraft {
  fields = $state<Draft>(stored());
  model = $state.raw<Model | null>(null);
  dataset = $state.raw<Dataset | null>(null);
  plan = $state.raw<StudyPlan | null>(null);
  planError = $state.raw<ApiError | null>(null);
  planning = $state(false);
  submitError = $state.raw<ApiError | null>(null);
  /** Everybody may submit here: then no study that everyone may train is private. */
  openSite = $state(false);
  groups = $state.raw<readonly Group[]>([]);
  /** Problems are shown once a person has tried to submit. */
  showProblems = $state(false);

  readonly made = $derived(makeSpec(this.fields));

  /** Fetch again what the kept draft names; what is gone meanwhile is forgotten. */
  async restore(modelId: string | null): Promise<void> {
    if (modelId !== null && modelId !== this.fields.modelId) this.fields.modelId = modelId;
    const { modelId: model_id, datasetId: dataset_id } = this.fields;
    await Promise.all([
      this.#learnSite(),
      this.#fetchGroups(),
      model_id && this.#fetchModel(model_id),
      dataset_id && this.#fetchDataset(dataset_id),
    ]);
  }

  async #learnSite(): Promise<void> {
    try {
      this.openSite = (await read(api.GET("/api/v1/status"))).open;
    } catch {
      return; // the coordinator says it again where it matters
    }
    this.letIn(this.fields.donors);
  }

  /** What is kept names a group that is gone: another one is to be chosen. */
  async #fetchGroups(): Promise<void> {
    try {
      this.groups = await read(api.GET("/api/v1/groups"));
    } catch {
      return;
    }
    if (!this.groups.some((group) => group.id === this.fields.groupId)) {
      this.fields.groupId = this.groups.length === 1 ? (this.groups[0]?.id ?? "") : "";
    }
  }

  /** Choose who may train it. What everyone may train on an open coordinator is public. */
  letIn(donors: DonorsOf): void {
    this.fields.donors = donors;
    if (this.openSite && donors === "everyone") this.fields.visibility = "public";
  }

  async #fetchModel(model_id: string): Promise<void> {
    try {
      this.useModel(await read(api.GET("/api/v1/models/{model_id}", { params: { path: { model_id } } })));
    } catch {
      this.fields.modelId = "";
    }
  }

  async #fetchDataset(dataset_id: string): Promise<void> {
    try {
      const params = { path: { dataset_id } };
      this.useDataset(await read(api.GET("/api/v1/datasets/{dataset_id}", { params })));
    } catch {
      this.fields.datasetId = "";
    }
  }

  /**
   * Take a model. Its layers' fields keep what was typed where it is the one before, or `alike`:
   * the same but for the width of its input.
   */
  useModel(model: Model, alike = false): void {
    const typed = Object.fromEntries(this.fields.parameters.map((form) => [form.key, form]));
    const training = this.fields.parameters.filter((form) => !form.key.startsWith("layers."));
    const same = alike || this.fields.modelId === model.id;
    const layers = layerForms(model.report.layers).map((form) => (same && typed[form.key]) || form);
    this.model = model;
    this.fields.modelId = model.id;
    this.fields.parameters = [...training, ...layers];
  }

  /** How the model could be fitted to the rows, where a refusal says that it can. */
  get offer(): FitOffer | null {
    return this.submitError?.detail.offer ?? this.planError?.detail.offer ?? null;
  }

  /** Take the fitted model in the place of the one that the rows do not fit. */
  async fit({ model_id, width }: FitOffer): Promise<void> {
    const call = api.POST("/api/v1/models/{model_id}/fitted", { params: { path: { model_id } }, body: { width } });
    await this.#takeAlike(read(call));
  }

  /** Take back the model that the present one was made from. */
  async unfit({ model_id }: FittedFrom): Promise<void> {
    await this.#takeAlike(read(api.GET("/api/v1/models/{model_id}", { params: { path: { model_id } } })));
  }

  async #takeAlike(fetched: Promise<Model>): Promise<void> {
    const before = this.fields.modelId;
    const model = await fetched;
    if (this.fields.modelId !== before) return; // another one was chosen meanwhile
    this.useModel(model, true);
    [this.planError, this.submitError] = [null, null];
  }

  useDataset(dataset: Dataset): void {
    const another = this.fields.datasetId !== dataset.id;
    this.dataset = dataset;
    this.fields.datasetId = dataset.id;
    if (another) {
      this.fields.target = ""; // the plan names it where there is no doubt, and asks where there is
      this.fields.features = null;
      if (this.fields.weights === "column") this.fields.weights = "none";
    }
  }

  keep(): void {
    try {
      sessionStorage.setItem(KEY, JSON.stringify(this.fields));
    } catch {
      // Storage is full or switched off: the draft holds until the page is left.
    }
  }

  clear(): void {
    sessionStorage.removeItem(KEY);
    this.fields = emptyDraft();
  }

  /** Ask the coordinator what it understands, a little after the last change. Returns the way out. */
  askPlan(): () => void {
    const spec = this.made.spec;
    if (!spec.model_id || !spec.dataset_id || this.model === null || this.dataset === null) return () => {};
    let current = true;
    this.planning = true;
    const timer = setTimeout(() => {
      read(api.POST("/api/v1/studies/plan", { body: spec })).then(
        (plan) => {
          if (current) [this.plan, this.planError, this.planning] = [plan, null, false];
        },
        (thrown: unknown) => {
          if (current) [this.plan, this.planError, this.planning] = [null, asApiError(thrown), false];
        },
      );
    }, PLAN_AFTER_MS);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }

  /** What stands beside a field: the coordinator's refusal, or what the form itself sees. */
  problem(field: string): string {
    for (const error of [this.submitError, this.planError]) {
      if (error && concerns(error.detail, field)) return sentence(error.detail);
    }
    const own = this.made.problems[field] ?? "";
    const waits = field === "name" || field === "rows_are_public";
    return waits && !this.showProblems ? "" : own;
  }
}
