/** The REST bodies under short names. Shapes come from schema.gen.ts. */

import type { components } from "./schema.gen";

type Schemas = components["schemas"];

export type AccountRecord = Schemas["AccountRecord"];
export type BestModel = Schemas["BestModel"];
export type BundledDataset = Schemas["BundledDataset"];
export type Column = Schemas["Column"];
export type Counts = Schemas["Counts"];
export type Curve = Schemas["Curve"];
export type CurvePoint = Schemas["CurvePoint"];
export type Dataset = Schemas["Dataset"];
export type DatasetProfile = Schemas["DatasetProfile"];
export type DonorAtWork = Schemas["DonorAtWork"];
export type Group = Schemas["Group"];
export type InvitedGroup = Schemas["InvitedGroup"];
export type JoinedGroup = Schemas["JoinedGroup"];
export type Member = Schemas["Member"];
export type FitOffer = Schemas["FitOffer"];
export type FittedFrom = Schemas["FittedFrom"];
export type LayerReport = Schemas["LayerReport"];
export type LeaderboardRow = Schemas["LeaderboardRow"];
export type LeaseRecord = Schemas["LeaseRecord"];
export type Ledger = Schemas["Ledger"];
export type LedgerEntry = Schemas["LedgerEntry"];
export type Model = Schemas["Model"];
export type ModelReport = Schemas["ModelReport"];
export type MadeToken = Schemas["MadeToken"];
export type Prediction = Schemas["Prediction"];
export type Predictions = Schemas["Predictions"];
export type Session = Schemas["Session"];
export type SiteStatus = Schemas["SiteStatus"];
export type Study = Schemas["Study"];
export type StudyPlan = Schemas["StudyPlan"];
export type StudySpec = Schemas["StudySpec"];
export type TestLook = Schemas["TestLook"];
export type TokenRecord = Schemas["TokenRecord"];
export type TrialDetail = Schemas["TrialDetail"];
export type UnitRecord = Schemas["UnitRecord"];

export type DonorsOf = NonNullable<StudySpec["donors"]>;
export type Direction = StudyPlan["direction"];
export type LossName = StudyPlan["loss"];
export type MetricName = StudyPlan["metric"];
export type Parameter = NonNullable<StudySpec["parameters"]>[string];
export type Scalar = boolean | number | string;
export type StudyState = Study["state"];
export type Task = StudyPlan["task"];
export type TrialActivity = NonNullable<LeaderboardRow["activity"]>;
/** Whether the coordinator trained again what a score stands on. */
export type Check = NonNullable<LeaderboardRow["check"]>;
export type TrialState = LeaderboardRow["state"];
export type UnitState = UnitRecord["state"];
