//! Spans on their way out: the layer that collects them, their ids, and the bounded queue in which
//! they wait to be sent. Nothing here waits; what finds the queue full is counted and gone.

use std::cell::Cell;
use std::fmt;
use std::time::Duration;

use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState, TracerProvider as _,
};
use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    IdGenerator, Sampler, SdkTracer, SdkTracerProvider, Span as SdkSpan, SpanData, SpanLimits,
    SpanProcessor,
};
use tokio::sync::mpsc;
use tracing::{Level, Metadata, Span, Subscriber};
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt as _};
use tracing_subscriber::filter::{FilterFn, LevelFilter};
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

use crate::config::{self, SamplerKind};
use crate::turn::TraceContext;

use super::events::TelemetryDropped;

/// Finished spans that may wait for the collector: of some five hundred turns.
const QUEUE_SPANS: usize = 4096;
/// Spans of one export.
const BATCH: usize = 512;
/// The only module whose spans are sent; a dependency's may hold anything.
const TARGET: &str = "quest_clm::telemetry::spans";

/// Makes spans that end up in a [`SpanQueue`].
#[derive(Clone, Debug)]
pub struct Tracer(SdkTracer);

/// Finished spans, for whoever sends them.
pub struct SpanQueue(mpsc::Receiver<SpanData>);

/// Where spans begin and where they end up.
#[must_use]
pub fn tracer(sampler: config::Sampler) -> (Tracer, SpanQueue) {
    let (sender, queue) = mpsc::channel(QUEUE_SPANS);
    // Whatever the SDK would take from the environment is said here instead.
    let provider = SdkTracerProvider::builder()
        .with_resource(Resource::builder_empty().build())
        .with_sampler(sampler_of(sampler))
        .with_span_limits(SpanLimits::default())
        .with_id_generator(Ids)
        .with_span_processor(Outbox(sender))
        .build();
    let scope = InstrumentationScope::builder("clm").with_version(env!("CARGO_PKG_VERSION"));
    let tracer = provider.tracer_with_scope(scope.build());
    (Tracer(tracer), SpanQueue(queue))
}

fn sampler_of(settings: config::Sampler) -> Sampler {
    let root = match settings.kind {
        SamplerKind::AlwaysOn => Sampler::AlwaysOn,
        SamplerKind::AlwaysOff => Sampler::AlwaysOff,
        SamplerKind::Ratio => Sampler::TraceIdRatioBased(settings.ratio),
    };
    match settings.heeds_parent {
        true => Sampler::ParentBased(Box::new(root)),
        false => root,
    }
}

/// What the subscriber needs to collect spans, ours alone; log lines are no part of them.
pub fn layer<S>(tracer: Tracer) -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
{
    let is_ours: fn(&Metadata<'_>) -> bool =
        |meta| meta.is_span() && meta.target() == TARGET && *meta.level() <= Level::INFO;
    OpenTelemetryLayer::new(tracer.0)
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        // Parents are found among our own spans; entering one need not tell OpenTelemetry too.
        .with_context_activation(false)
        .with_filter(FilterFn::new(is_ours).with_max_level_hint(LevelFilter::INFO))
}

/// Begins the server span's trace: under the ids that the caller is told, and as a child of the
/// caller's own span where it named one.
pub(super) fn begin(span: &Span, trace: &TraceContext) {
    if span.is_disabled() {
        return;
    }
    let trace_id = TraceId::from(trace.id());
    if let Some(parent) = trace.parent() {
        let flags = TraceFlags::default().with_sampled(trace.is_sampled());
        let parent = SpanId::from(parent);
        let parent = SpanContext::new(trace_id, parent, flags, true, TraceState::default());
        // Refused only where no layer collects spans: then there is nothing to continue.
        let _ = span.set_parent(Context::new().with_remote_span_context(parent));
    }
    NEXT.set(Some((trace_id, SpanId::from(trace.span_id()))));
    // The ids are given out when a span is built, and asking for its context builds it.
    let _ = span.context();
    NEXT.set(None);
}

thread_local! {
    /// The ids of the span that is being built, where they were given out before.
    static NEXT: Cell<Option<(TraceId, SpanId)>> = const { Cell::new(None) };
}

/// Gives a request's first span the ids it has been promised, and any other span chance ones.
#[derive(Debug)]
struct Ids;

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        let given = NEXT.get().map(|(trace, _)| trace);
        given.unwrap_or_else(|| TraceId::from(rand::random::<u128>()))
    }

    fn new_span_id(&self) -> SpanId {
        let given = NEXT.get().map(|(_, span)| span);
        given.unwrap_or_else(|| SpanId::from(rand::random::<u64>()))
    }
}

/// Takes what has finished. Called on a turn's thread, so it never waits.
struct Outbox(mpsc::Sender<SpanData>);

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outbox")
    }
}

impl SpanProcessor for Outbox {
    fn on_start(&self, _: &mut SdkSpan, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.0.try_send(span).is_err() {
            TelemetryDropped::spans(1).emit();
        }
    }

    /// Whoever holds the queue flushes it.
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

impl SpanQueue {
    /// Waits for the first finished span, and takes what is there.
    ///
    /// # Cancellation
    /// Safe: nothing is taken by a wait that is dropped.
    pub async fn first(&mut self, batch: &mut Vec<SpanData>) {
        self.0.recv_many(batch, BATCH).await;
    }

    /// Takes what is there, up to a full batch; says whether there is anything to send.
    pub fn fill(&mut self, batch: &mut Vec<SpanData>) -> bool {
        while batch.len() < BATCH
            && let Ok(span) = self.0.try_recv()
        {
            batch.push(span);
        }
        !batch.is_empty()
    }

    /// Gives up what still waits: how many.
    pub fn abandon(&mut self) -> usize {
        let waiting = self.0.len();
        self.0.close();
        waiting
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;
    use crate::telemetry::spans;
    use crate::turn::Outcome;

    /// What is sent of what `work` does, in the order in which it ended.
    fn sent(work: impl FnOnce()) -> Vec<SpanData> {
        let (tracer, mut queue) = tracer(config::Sampler {
            heeds_parent: true,
            kind: SamplerKind::AlwaysOn,
            ratio: 1.0,
        });
        let subscriber = tracing_subscriber::registry().with(layer(tracer));
        tracing::subscriber::with_default(subscriber, work);
        let mut all = Vec::new();
        queue.fill(&mut all);
        all
    }

    #[test]
    fn a_request_has_the_ids_that_its_caller_is_told() {
        let caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        for (header, parent) in [(None, 0), (Some(caller), 0x00f0_67aa_0ba9_02b7)] {
            let trace = TraceContext::continued(header);
            let spans = sent(|| {
                let request = spans::request("POST", "/turns", &trace);
                let turn = request.in_scope(|| spans::turn("t", "master"));
                spans::settled(&turn, &request, Outcome::PartialFailed, "c");
            });
            let [turn, request] = spans.as_slice() else {
                panic!("{spans:?}");
            };
            let own = request.span_context.span_id();
            let told = format!("00-{}-{own}-01", request.span_context.trace_id());
            assert_eq!(trace.traceparent(), told);
            assert_eq!(request.parent_span_id, SpanId::from(parent));
            assert_eq!(request.name, "POST /turns");
            assert_eq!(turn.parent_span_id, own);
            for span in [turn, request] {
                assert!(matches!(
                    span.status,
                    opentelemetry::trace::Status::Error { .. }
                ));
            }
        }
    }

    #[test]
    fn neither_other_peoples_spans_nor_lines_are_sent() {
        let spans = sent(|| {
            let _other = tracing::info_span!("other", words = "secret").entered();
            spans::retrieval("zep").in_scope(|| tracing::error!("a line"));
        });
        assert_eq!(spans.len(), 1, "{spans:?}");
        assert!(spans[0].events.is_empty() && spans[0].name == "retrieval zep");
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        let spans = metrics::with_local_recorder(&recorder, || {
            sent(|| (0..QUEUE_SPANS + 7).for_each(|_| drop(spans::retrieval("zep"))))
        });
        assert_eq!(spans.len(), BATCH);
        let page = recorder.handle().render();
        let dropped = r#"clm_telemetry_dropped_total{signal="traces"} 7"#;
        assert!(page.lines().any(|l| l == dropped), "{page}");
    }
}
