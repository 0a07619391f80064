//! What a collector is sent: spans and metrics as OTLP's protobuf messages.
//!
//! Metrics are read off the page that `/metrics` shows, every few seconds, so that both tell the
//! same and no event pays for a second book. What that page calls by another name than
//! `OpenTelemetry` does is renamed here, by the tables in `names`.

use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, InstrumentationScope, KeyValue, any_value::Value,
};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum, metric::Data, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::transform::common::tonic::{Attributes, ResourceAttributesWithSchema};
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::trace::SpanData;
use prost::Message as _;

use crate::config;

use super::names;
use super::page::{Family, Sample, families};

const NANOS_PER_MS: u64 = 1_000_000;

/// Whose telemetry it is.
#[derive(Debug)]
pub struct Origin {
    resource: ResourceAttributesWithSchema,
    /// When counting began, milliseconds since the Unix epoch.
    since_ms: u64,
}

impl Origin {
    #[must_use]
    pub fn new(settings: &config::Otlp, now_ms: i64) -> Self {
        let mut all = vec![text("service.name", &settings.service)];
        let version = env!("CARGO_PKG_VERSION");
        all.push(text("service.version", version));
        for (name, value) in &settings.resource {
            // The variable for the name alone wins over the one for everything.
            if name != "service.name" {
                all.retain(|known| known.key != *name);
                all.push(text(name, value));
            }
        }
        Self {
            resource: ResourceAttributesWithSchema {
                attributes: Attributes(all),
                schema_url: None,
            },
            since_ms: now_ms.unsigned_abs(),
        }
    }

    /// A request with these spans.
    #[must_use]
    pub fn spans(&self, spans: Vec<SpanData>) -> Vec<u8> {
        let resource_spans = group_spans_by_resource_and_scope(spans, &self.resource);
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    }

    /// A request with all that the page of metrics tells.
    #[must_use]
    pub fn metrics(&self, page: &str, now_ms: i64) -> Vec<u8> {
        let times = (self.since_ms, now_ms.unsigned_abs());
        let scope = InstrumentationScope {
            name: "clm".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let metrics = families(page)
            .into_iter()
            .filter_map(|family| metric(&family, times))
            .collect();
        let resource = Resource {
            attributes: self.resource.attributes.0.clone(),
            ..Resource::default()
        };
        ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(resource),
                scope_metrics: vec![ScopeMetrics {
                    scope: Some(scope),
                    metrics,
                    ..ScopeMetrics::default()
                }],
                ..ResourceMetrics::default()
            }],
        }
        .encode_to_vec()
    }
}

/// How many spans a collector says it did not want; an answer that cannot be read says none.
#[must_use]
pub fn rejected_spans(answer: &[u8]) -> usize {
    let answer = ExportTraceServiceResponse::decode(answer).ok();
    let partial = answer.and_then(|answer| answer.partial_success);
    partial.map_or(0, |p| usize::try_from(p.rejected_spans).unwrap_or(0))
}

/// Whether a collector says that it did not want all of the metrics.
#[must_use]
pub fn rejects_metrics(answer: &[u8]) -> bool {
    let answer = ExportMetricsServiceResponse::decode(answer).ok();
    let partial = answer.and_then(|answer| answer.partial_success);
    partial.is_some_and(|p| p.rejected_data_points > 0)
}

fn text(name: &str, value: &str) -> KeyValue {
    KeyValue {
        key: name.to_owned(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(value.to_owned())),
        }),
        ..KeyValue::default()
    }
}

fn attributes(sample: &Sample<'_>) -> Vec<KeyValue> {
    let labels = sample.labels.iter();
    labels
        .map(|(label, value)| {
            let name = names::attribute(label);
            match (name, value.parse()) {
                // The one attribute that is a number.
                ("server.port", Ok(port)) => KeyValue {
                    value: Some(AnyValue {
                        value: Some(Value::IntValue(port)),
                    }),
                    ..text(name, "")
                },
                _ => text(name, value),
            }
        })
        .collect()
}

fn metric(family: &Family<'_>, times: (u64, u64)) -> Option<Metric> {
    let (name, unit) = names::instrument(family.name);
    let temporality = AggregationTemporality::Cumulative as i32;
    let data = match family.kind {
        "counter" => Data::Sum(Sum {
            data_points: numbers(family, times),
            aggregation_temporality: temporality,
            is_monotonic: true,
        }),
        "gauge" => Data::Gauge(Gauge {
            data_points: numbers(family, times),
        }),
        "histogram" => Data::Histogram(Histogram {
            data_points: histograms(family, times),
            aggregation_temporality: temporality,
        }),
        _ => return None,
    };
    Some(Metric {
        name: name.to_owned(),
        description: family.help.to_owned(),
        unit: unit.to_owned(),
        data: Some(data),
        ..Metric::default()
    })
}

fn numbers(family: &Family<'_>, (since, now): (u64, u64)) -> Vec<NumberDataPoint> {
    let points = family.samples.iter().map(|sample| NumberDataPoint {
        attributes: attributes(sample),
        start_time_unix_nano: since * NANOS_PER_MS,
        time_unix_nano: now * NANOS_PER_MS,
        value: Some(number_data_point::Value::AsDouble(sample.value)),
        ..NumberDataPoint::default()
    });
    points.collect()
}

/// The page counts what is at most each bound, and OTLP what lies between two of them.
fn histograms(family: &Family<'_>, (since, now): (u64, u64)) -> Vec<HistogramDataPoint> {
    let mut points = Vec::new();
    let mut point = HistogramDataPoint::default();
    let mut below = 0;
    for sample in &family.samples {
        match (sample.part, sample.bound) {
            ("_bucket", Some(bound)) => {
                let up_to = whole(sample.value);
                point.bucket_counts.push(up_to.saturating_sub(below));
                below = up_to;
                if bound.is_finite() {
                    point.explicit_bounds.push(bound);
                }
            }
            ("_sum", _) => point.sum = Some(sample.value),
            // The last line of each.
            ("_count", _) => {
                point.count = whole(sample.value);
                point.attributes = attributes(sample);
                point.start_time_unix_nano = since * NANOS_PER_MS;
                point.time_unix_nano = now * NANOS_PER_MS;
                points.push(std::mem::take(&mut point));
                below = 0;
            }
            _ => {}
        }
    }
    points
}

fn whole(count: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count, which is whole and not negative"
    )]
    let count = count as u64;
    count
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};

    use super::*;
    use crate::config::{Sources, load};

    fn sent(page: &str) -> Vec<Metric> {
        let settings = load(&Sources::from_pairs([(
            "OTEL_RESOURCE_ATTRIBUTES",
            "service.name=other,deployment.environment.name=test",
        )]));
        let origin = Origin::new(&settings.unwrap().otlp, 1000);
        let bytes = origin.metrics(page, 2000);
        let mut request = ExportMetricsServiceRequest::decode(bytes.as_slice()).unwrap();
        let mut all = request.resource_metrics.remove(0);
        let names: Vec<_> = all.resource.unwrap().attributes;
        assert!(names.contains(&text("service.name", "clm")), "{names:?}");
        assert!(names.contains(&text("deployment.environment.name", "test")));
        all.scope_metrics.remove(0).metrics
    }

    #[test]
    fn what_the_page_shows_is_what_is_sent() {
        let full = |name: &str| Matcher::Full(name.to_owned());
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(full(names::CALL_SECONDS), &[0.1, 1.0])
            .unwrap()
            .build_recorder();
        let odd = "a \"b\",c=\\d}\n{ e";
        metrics::with_local_recorder(&recorder, || {
            metrics::describe_counter!("clm_things_total", "Things, by \"name\".");
            metrics::counter!("clm_things_total", "name" => odd).increment(3);
            metrics::counter!("clm_things_total", "name" => "x").increment(4);
            metrics::gauge!("clm_level").set(-1.5);
            let labels = [("gen_ai_request_model", "m"), ("server_port", "443")];
            let calls = metrics::histogram!(names::CALL_SECONDS, &labels);
            for seconds in [0.05, 0.06, 0.5, 7.0] {
                calls.record(seconds);
            }
        });
        let metrics = sent(&recorder.handle().render());
        let find = |name: &str| metrics.iter().find(|m| m.name == name).unwrap();
        let things = find("clm_things_total");
        assert_eq!(things.description, "Things, by \"name\".");
        let Some(Data::Sum(sum)) = &things.data else {
            panic!("{things:?}");
        };
        assert!(sum.is_monotonic && sum.data_points.len() == 2);
        let named = |p: &&NumberDataPoint| p.attributes == [text("name", odd)];
        let point = sum.data_points.iter().find(named).unwrap();
        assert_eq!(point.value, Some(number_data_point::Value::AsDouble(3.0)));
        assert_eq!(point.start_time_unix_nano, 1_000_000_000);
        let Some(Data::Gauge(gauge)) = &find("clm_level").data else {
            panic!();
        };
        let level = gauge.data_points[0].value;
        assert_eq!(level, Some(number_data_point::Value::AsDouble(-1.5)));
        let calls = find("gen_ai.client.operation.duration");
        assert_eq!(calls.unit, "s");
        let Some(Data::Histogram(calls)) = &calls.data else {
            panic!();
        };
        let calls = &calls.data_points[0];
        assert_eq!(calls.explicit_bounds, [0.1, 1.0]);
        assert_eq!(calls.bucket_counts, [2, 1, 1]);
        assert_eq!(calls.count, 4);
        assert!((calls.sum.unwrap() - 7.61).abs() < 1e-9);
        assert!(
            calls
                .attributes
                .contains(&text("gen_ai.request.model", "m"))
        );
        let port = calls.attributes.iter().find(|a| a.key == "server.port");
        let value = port.unwrap().value.clone().unwrap().value;
        assert_eq!(value, Some(Value::IntValue(443)));
    }
}
