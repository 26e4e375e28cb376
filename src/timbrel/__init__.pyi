# The public names for type checkers and editors; a test compares them with `_PUBLIC`.
from timbrel.audio.clean import Cleaned as Cleaned, clean as clean, envelope as envelope
from timbrel.audio.decode import (
    Decoded as Decoded,
    IsolatedDecoder as IsolatedDecoder,
    decode as decode,
)
from timbrel.audio.pcm import Pcm as Pcm
from timbrel.audio.reading import Reading as Reading
from timbrel.audio.windows import Windowing as Windowing, consecutive as consecutive
from timbrel.dataset.folds import deal_folds as deal_folds, hold_out as hold_out
from timbrel.dataset.manifest import (
    Dataset as Dataset,
    Recording as Recording,
    read_dataset as read_dataset,
)
from timbrel.dataset.synthesis import make_synthetic as make_synthetic
from timbrel.errors import (
    AudioError as AudioError,
    DataError as DataError,
    DecoderError as DecoderError,
    DecoderFailed as DecoderFailed,
    DeviceError as DeviceError,
    FetchError as FetchError,
    InvalidArgument as InvalidArgument,
    MissingExtra as MissingExtra,
    ModelError as ModelError,
    OutputError as OutputError,
    TimbrelError as TimbrelError,
)
from timbrel.features.cache import FeatureCache as FeatureCache
from timbrel.features.logmel import LogMel as LogMel
from timbrel.features.mfcc import MFCC as MFCC
from timbrel.fetching.known import KNOWN_DATA as KNOWN_DATA, KnownData as KnownData
from timbrel.findings import Finding as Finding
from timbrel.inference.events import EventSettings as EventSettings
from timbrel.inference.prediction import Prediction as Prediction, Predictions as Predictions
from timbrel.inference.predictor import Predictor as Predictor, load as load
from timbrel.networks.builders import front_end as front_end, network as network
from timbrel.networks.recipes import (
    RECIPES as RECIPES,
    Recipe as Recipe,
    get_recipe as get_recipe,
)
from timbrel.progress import Progress as Progress
from timbrel.tagging.undo import TakenBack as TakenBack
from timbrel.training.examples import (
    Examples as Examples,
    balanced_class_weight as balanced_class_weight,
    draw_windows as draw_windows,
)
from timbrel.training.fit import fit as fit
from timbrel.training.prepare import Prepared as Prepared, prepare as prepare
from timbrel.workflows.check import check as check
from timbrel.workflows.compare import evaluate_models as evaluate_models
from timbrel.workflows.data import (
    FetchedData as FetchedData,
    FetchObserver as FetchObserver,
    fetch_data as fetch_data,
)
from timbrel.workflows.demo import demo as demo
from timbrel.workflows.evaluate import evaluate as evaluate
from timbrel.workflows.explore import explore as explore
from timbrel.workflows.info import ModelInfo as ModelInfo, info as info
from timbrel.workflows.listen import listen as listen
from timbrel.workflows.predict import predict as predict
from timbrel.workflows.summary import summary as summary
from timbrel.workflows.tag import (
    TagObserver as TagObserver,
    TagResult as TagResult,
    tag as tag,
    undo_tag as undo_tag,
)
from timbrel.workflows.train import train as train

__version__: str
