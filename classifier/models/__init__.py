"""All tables of the classifier app."""

from classifier.models.api_keys import ApiKey, RateLimitCounter, StoredReply
from classifier.models.arrival import Arrival as Arrival
from classifier.models.attributes import Attribute, AttributeOption
from classifier.models.audit_draw import AuditDraw
from classifier.models.contract import ContractVersion
from classifier.models.draft import Draft, DraftLabel
from classifier.models.epoch import Epoch
from classifier.models.erasure import Erasure
from classifier.models.file_import import TicketImport, TicketImportPart
from classifier.models.gate import Criterion, Gate, GateMode
from classifier.models.helpdesk import HelpDesk, WriteBack
from classifier.models.language_models import LanguageModel, Provider, Spend
from classifier.models.lease import Lease
from classifier.models.mailbox import Mailbox
from classifier.models.outbox import Delivery, Event, Webhook
from classifier.models.pause import Pause
from classifier.models.prediction import Failure, Prediction
from classifier.models.process import ProcessHeartbeat
from classifier.models.scoring import Score, Scorer
from classifier.models.specialist import Encoding, Example, SpecialistVersion, Vector
from classifier.models.tally import Tally, TallyProgress
from classifier.models.taxonomy import Category, Sentiment
from classifier.models.ticket import Ticket, WholeMessage
from classifier.models.verdict import Reason, Verdict
