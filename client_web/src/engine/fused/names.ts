/** Names of kernels of ours that layers ask for; nothing of TF.js's, so that any page's layers can have them. */

export const DENSE = "PotluckDense";
export const RECURRENCE = "PotluckRecurrence";
export const RECURRENCE_GRADIENT = "PotluckRecurrenceGradient";
