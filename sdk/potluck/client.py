"""The way in: a client of one coordinator."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Literal

import httpx2
from pydantic import ValidationError

from potluck.arguments import shown
from potluck.best import file_form
from potluck.data_upload import data_file, existing_file, is_folder, no_data_file
from potluck.defaults import DEFAULT_URL
from potluck.errors import BadArgument, BadInput
from potluck.frames import index_left_out
from potluck.groups import Groups
from potluck.model_upload import model_files
from potluck.notices import ROWS_ARE_PUBLIC, say
from potluck.protocol import records
from potluck.protocol.study import (
    Direction,
    Donors,
    Duplicates,
    LossName,
    MetricName,
    Scaling,
    StudySpec,
    Task,
    Visibility,
)
from potluck.specification import StudyOptions, require_consent, study_spec
from potluck.study import Study
from potluck.transport import Transport
from potluck.understood import fitted_line, understood
from potluck.uploads import Uploads

BUNDLED = "bundled:"
"""Before a bundled dataset's name: needed only where a file or a folder is called like it."""


class Client:
    """Talk to the coordinator at `url`.

    `url` and `token` default to the environment's POTLUCK_URL and POTLUCK_TOKEN. A coordinator
    that was started with `--open` asks for no token; an empty `token` sends none. Without one,
    what is submitted belongs to this user's visitor key (`potluck.visitor`).
    `transport` is for those who bring their own httpx2 transport.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self._transport = Transport(
            url or os.environ.get("POTLUCK_URL") or DEFAULT_URL,
            os.environ.get("POTLUCK_TOKEN") if token is None else token,
            transport=transport,
        )

    @property
    def url(self) -> str:
        """Give the coordinator's address."""
        return self._transport.url

    @property
    def groups(self) -> Groups:
        """Give your groups of donors: make, list, rename and delete them, and who is in them."""
        return Groups(self._transport)

    def submit(
        self,
        model: object,
        data: object,
        search: Mapping[str, object] | None = None,
        *,
        trials: int = 12,
        epochs: int | None = None,
        rungs: int | Sequence[int] = 1,
        folds: int | None = None,
        validation: float | None = None,
        test: float = 0.2,
        stratify: bool = True,
        split_seed: int = 0,
        duplicates: Duplicates | None = None,
        target: str | None = None,
        features: Sequence[str] | None = None,
        task: Task | None = None,
        scaling: Scaling | None = None,
        loss: LossName | None = None,
        loss_options: Mapping[str, object] | None = None,
        class_weight: Literal["balanced"] | Mapping[str, float] | None = None,
        sample_weight: str | None = None,
        metric: MetricName | None = None,
        direction: Direction | None = None,
        init: Literal["fresh", "uploaded"] | None = None,
        fit_first_layer: bool = False,
        sampler: Literal["random", "grid"] = "random",
        repeats: int = 1,
        seed: int = 0,
        name: str | None = None,
        description: str = "",
        visibility: Visibility = "public",
        donors: Donors = "everyone",
        group: str | None = None,
        rows_are_public: bool = True,
        quiet: bool = False,
    ) -> Study:
        """Upload a model and data, and start a study.

        `model`: the path of a `.keras` or `.h5` file, of a `model.json` or its folder; a list of
        paths (an architecture's `.json`, its weights' `.h5`); a `.keras` or `.h5` file's bytes; a
        Keras model; or what `upload_model` and `models` gave. `data`: a pair (X, y), a pandas or
        polars DataFrame, a dict of arrays `[rows, ...]`, the path of a `.csv` or `.npz` file, the
        name of a bundled dataset (`digits`; `bundled:digits` where a folder is called like it), or
        what `upload_data` and `datasets` gave.

        `search` maps parameters (`learning_rate`, `batch_size`, `optimizer`, its own such as
        `momentum`, and `layers.<name>.<field>`) to a value, a list of choices, or a `Float` or
        `Int` range. `epochs` (10) are those of a whole trial; `rungs` a number of rungs, each three
        times as long as the one before, or their epoch counts. `folds` replaces `validation` (0.2
        of the rows). `duplicates`: rows with equal features stay `together` in one part, or are
        `free` to part. `target` names what to predict; it may be left out where the data leaves no
        doubt of it. `features` (all other columns but row numbers and ids) names what from.
        `scaling` of numbers: `standard` (mean 0, deviation 1), `minmax` (0 to 1) or `none`; left
        out, it is `standard`, but `none` of the features of a model that scales them itself.
        `loss_options` are Keras's (`{"label_smoothing": 0.1}`), `class_weight` is
        `balanced` or maps labels to weights, `sample_weight` names a column. `fit_first_layer`:
        where the encoded features have another width than the model takes, its first layer starts
        anew for that width, and all others keep their weights; else that is refused. What stays
        `None` the coordinator infers; `study.plan` says what it understood, and five lines on the
        error stream with the plan's warnings, unless `quiet`.

        `donors` says who trains it: `everyone`; a `group` (`group` is its name or id) and your own
        donors; or `mine`, donors that show a token of your account (or, at an open coordinator,
        your visitor key). All others get nothing of it. With `everyone`, encoded training rows
        reach every donor's browser: submitting says that they may (`rows_are_public`); False
        refuses that. Raises `BadArgument` for what can be seen here, and an
        `ApiError` for what the coordinator refuses; then nothing runs, and what was uploaded for it
        is taken back.
        """
        options = StudyOptions(
            search={} if search is None else search,
            trials=trials,
            epochs=epochs,
            rungs=rungs,
            folds=folds,
            validation=validation,
            test=test,
            stratify=stratify,
            split_seed=split_seed,
            duplicates=duplicates,
            target=target,
            features=features,
            task=task,
            scaling=scaling,
            loss=loss,
            loss_options={} if loss_options is None else loss_options,
            class_weight=class_weight,
            sample_weight=sample_weight,
            metric=metric,
            direction=direction,
            init=init,
            fit_first_layer=fit_first_layer,
            sampler=sampler,
            repeats=repeats,
            seed=seed,
            name=name,
            description=description,
            visibility=visibility,
            donors=donors,
            group=group,
            rows_are_public=rows_are_public,
        )
        return self.submit_options(model, data, options, quiet=quiet)

    def submit_options(
        self,
        model: object,
        data: object,
        options: StudyOptions,
        *,
        quiet: bool = False,
        save_as: str | Path | None = None,
    ) -> Study:
        """Do as `submit` does, with the options gathered in one value.

        `save_as`: where the best model is to be saved in the end (`.keras`, `.h5`, `.zip`); refused
        with `BadArgument` before anything runs where such a file cannot hold the model.
        """
        require_consent(options)
        if options.group is not None:
            options = dataclasses.replace(options, group=self.groups.find(options.group).id)
        if save_as is not None:
            file_form(save_as, {})
        # Before anything is uploaded: what cannot be written down must leave nothing behind.
        study_spec(options, model_id="-", dataset_id="-", default_name="-")
        with Uploads(self._transport) as uploads, ExitStack() as opened:
            send_model = self._model(model, uploads, opened)
            dataset, target = self._data(data, uploads, opened)()
            uploaded = send_model()
            if save_as is not None:
                file_form(save_as, uploaded.report.unwritable)
            if options.target is None and target is not None:
                options = dataclasses.replace(options, target=target)
            spec = study_spec(
                options,
                model_id=uploaded.id,
                dataset_id=dataset.id,
                default_name=f"{uploaded.name} on {dataset.name}",
            )
            fitted = ""
            try:
                study = self.submit_spec(spec)
            except BadInput as error:
                offer = error.detail.offer
                if offer is None or not options.fit_first_layer:
                    raise
                model_fitted = uploads.fitted(offer)
                spec = spec.model_copy(update={"model_id": model_fitted.id})
                study = self.submit_spec(spec)
                fitted = fitted_line(model_fitted.name, offer, study.plan)
        if not quiet:
            if left_out := index_left_out(data):
                say(left_out)
            if fitted:
                say(fitted)
            for line in understood(study.plan, spec):
                say(line)
            for line in (
                [ROWS_ARE_PUBLIC] if spec.donors == "everyone" else study.plan.who_gets_what
            ):
                say(line)
        return study

    def submit_spec(self, spec: StudySpec) -> Study:
        """Start the study that a specification describes, of what is already uploaded."""
        return Study(self._transport, self._transport.post(records.Study, "/api/v1/studies", spec))

    def plan(self, spec: StudySpec) -> records.StudyPlan:
        """Say what the coordinator would understand by a specification; starts nothing."""
        return self._transport.post(records.StudyPlan, "/api/v1/studies/plan", spec)

    def upload_model(self, model: object, name: str | None = None) -> records.Model:
        """Upload a model (a path, bytes or a Keras model); gives its record with the report."""
        with model_files(model) as (given_name, files):
            return Uploads(self._transport).model(name or given_name, files)

    def fit_model(self, model: records.Model | str, width: int) -> records.Model:
        """Make the same model for rows of `width` numbers: its first layer starts anew.

        `model` is a model's record or id. The new record's `report.fitted` says what was changed.
        Raises `BadInput` where the model cannot be fitted (`model.cannot_fit`).
        """
        given = model if isinstance(model, str) else model.id
        try:
            body = records.ModelFit(width=width)
        except ValidationError:
            raise BadArgument(
                f"width must be a whole number from 1 to 1000000, got {shown(width)}."
            ) from None
        return self._transport.post(records.Model, f"/api/v1/models/{given}/fitted", body)

    def upload_data(self, data: object, name: str | None = None) -> records.Dataset:
        """Upload data (arrays, a DataFrame or a file); gives its record with the profile."""
        with data_file(data) as (given_name, file, _):
            uploaded = Uploads(self._transport).data(name or given_name, file)
        if left_out := index_left_out(data):
            say(left_out)
        return uploaded

    def study(self, study_id: str) -> Study:
        """Give the handle of a study, wherever it was submitted from. Raises `NotFound`."""
        record = self._transport.get(records.Study, f"/api/v1/studies/{study_id}")
        return Study(self._transport, record)

    def studies(self) -> list[Study]:
        """Give the studies that you may see, newest first."""
        found = self._transport.get_all(list[records.Study], "/api/v1/studies")
        listed = sorted(found, key=lambda record: -record.created_at)
        return [Study(self._transport, record) for record in listed]

    def models(self) -> list[records.Model]:
        """Give the models that you may use."""
        return self._transport.get_all(list[records.Model], "/api/v1/models")

    def datasets(self) -> list[records.Dataset]:
        """Give the datasets that you may use."""
        return self._transport.get_all(list[records.Dataset], "/api/v1/datasets")

    def bundled(self) -> list[records.BundledDataset]:
        """Give the real datasets that every coordinator brings."""
        return self._transport.get(list[records.BundledDataset], "/api/v1/datasets/bundled")

    def delete_dataset(self, dataset: records.Dataset | str) -> None:
        """Delete a dataset's bytes; studies keep its hash."""
        given = dataset if isinstance(dataset, str) else dataset.id
        self._transport.delete(f"/api/v1/datasets/{given}")

    def delete_model(self, model: records.Model | str) -> None:
        """Delete a model. Raises `Conflict` (`model.in_use`) while there is a study of it."""
        given = model if isinstance(model, str) else model.id
        self._transport.delete(f"/api/v1/models/{given}")

    def status(self) -> records.SiteStatus:
        """Say what the coordinator is doing now."""
        return self._transport.get(records.SiteStatus, "/api/v1/status")

    def close(self) -> None:
        """Close the connections; studies go on."""
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client of {self.url}>"

    def _model(
        self, model: object, uploads: Uploads, opened: ExitStack
    ) -> Callable[[], records.Model]:
        """Look at what was passed as a model; gives what uploads it."""
        if isinstance(model, records.Model):
            return lambda: model
        name, files = opened.enter_context(model_files(model))
        return lambda: uploads.model(name, files)

    def _data(
        self, data: object, uploads: Uploads, opened: ExitStack
    ) -> Callable[[], tuple[records.Dataset, str | None]]:
        """Look at what was passed as data; gives what uploads it, and its target if known."""
        if isinstance(data, records.Dataset):
            return lambda: (data, None)
        if isinstance(data, str) and existing_file(data) is None:
            found = self._bundled(data)
            return lambda: (uploads.bundled(found.name), found.target)
        name, file, target = opened.enter_context(data_file(data))
        return lambda: (uploads.data(name, file), target)

    def _bundled(self, name: str) -> records.BundledDataset:
        there = {dataset.name: dataset for dataset in self.bundled()}
        word = name.removeprefix(BUNDLED)
        # A folder may hold one's own rows: the bundled ones are not taken for them unasked.
        if name and is_folder(name):
            alike = Path(name).name
            ask = f" The bundled dataset is {BUNDLED + alike!r}." if alike in there else ""
            raise BadArgument(no_data_file(name) + ask)
        if word not in there:
            raise BadArgument(
                f"There is no data file at {shown(name)}, and no bundled dataset of that name "
                f"(there are {', '.join(there)})."
            )
        return there[word]
