"""The part of an aggregator that has to do with events, as a connector sees it, played by the test."""

from played_aggregator import KNOWS_OFFERS, PlayedAggregator, repeated
from raw_peer import HELLO, field, fields, header, record

EVENT, EVENTS_STORED, SUBSCRIBE, EVENTS_TAKEN = 19, 20, 21, 22
KNOWS_EVENTS, CREDITS_LOSSES = 128, 2048
CONTENT = {EVENT: 21, EVENTS_STORED: 22, SUBSCRIBE: 23, EVENTS_TAKEN: 24}  # fields of the header


class EventsAggregator(PlayedAggregator):
    """Stores what comes, unless `storing` is False, and notes who subscribes to what. `more`: capabilities beside those of events."""

    def __init__(self, name, you="acme/s1", more=0):
        super().__init__(name, you, KNOWS_OFFERS | KNOWS_EVENTS | more)
        self.storing, self.stored = True, (0, 0)
        self.events = []         # (epoch, sequence, topic, name, payload), as they were taken
        self.subscriptions = {}  # by number: (fields, topics); those that ended are gone
        self.taken = {}          # by number
        self.heard = 0           # records with events, also those that were not taken

    def events_named(self, topic):
        return [event for event in self.events if event[2] == topic]

    def tell(self, kind, content, source=None):
        self._ordering.send(record(kind, header(CONTENT[kind], content, source or self.name, self._you)))

    def tell_event(self, subscription, source, epoch, sequence, topic, name, payload, lost_to=0):
        content = field(1, epoch) + field(2, sequence) + field(5, 1) + field(7, subscription)
        content += field(6, lost_to) if lost_to else field(3, topic) + field(4, name)
        self._ordering.send(record(EVENT, header(CONTENT[EVENT], content, source, self._you), payload))

    def _tell_stored(self, peer):
        content = field(1, self.stored[0]) + field(2, self.stored[1])
        self._socket.send_multipart([peer, record(EVENTS_STORED, header(CONTENT[EVENTS_STORED], content, self.name, self._you))])

    def _hear(self, peer, kind, head, body):
        super()._hear(peer, kind, head, body)
        if kind == HELLO:
            with self._changed:
                self.subscriptions = {}
            self._tell_stored(peer)
        elif kind in CONTENT:
            content = fields(head)[CONTENT[kind]]
            with self._changed:
                getattr(self, {EVENT: "_take_event", SUBSCRIBE: "_take_subscribe", EVENTS_TAKEN: "_take_taken"}[kind])(
                    fields(content), content, body)
                self._changed.notify_all()
            if kind == EVENT and self.storing:
                self._tell_stored(peer)

    def _take_event(self, event, _, body):
        self.heard += 1
        place = (event[1], event[2])
        follows = place == (self.stored[0], self.stored[1] + 1) or (place[0] > self.stored[0] and place[1] == 1)
        if self.storing and follows:
            self.stored = place
            self.events.append((*place, event[3].decode(), event[4].decode(), body))

    def _take_subscribe(self, word, raw, _):
        topics = [topic.decode() for topic in repeated(raw, 2)]
        self.subscriptions.pop(word[1], None)
        if topics:
            self.subscriptions[word[1]] = (word, topics)

    def _take_taken(self, word, _, __):
        self.taken[word[1]] = word[2]
