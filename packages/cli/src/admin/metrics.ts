import { ERRORS } from '@tunnel/shared';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';

/** Everything that is exposed, in the text format of Prometheus. */
export interface Metrics {
  readonly contentType: string;
  read(): Promise<string>;
}

/**
 * The process metrics of `prom-client` that are kept: the others violate Prometheus' naming conventions or are of no
 * use here.
 */
const PROCESS_METRICS: ReadonlySet<string> = new Set([
  'process_cpu_user_seconds_total',
  'process_cpu_system_seconds_total',
  'process_cpu_seconds_total',
  'process_start_time_seconds',
  'process_resident_memory_bytes',
  'process_open_fds',
  'process_max_fds',
  'nodejs_eventloop_lag_seconds',
  'nodejs_eventloop_lag_max_seconds',
  'nodejs_eventloop_lag_p50_seconds',
  'nodejs_eventloop_lag_p99_seconds',
  'nodejs_heap_size_total_bytes',
  'nodejs_heap_size_used_bytes',
  'nodejs_external_memory_bytes',
  'nodejs_gc_duration_seconds',
]);

/** Metrics of every command: its version and process figures. */
export function newRegistry(version: string): Registry {
  const registry = new Registry();
  const build = new Gauge({
    name: 'tunnel_build_info',
    help: 'Always 1; the labels say which version of tunnel and of Node runs.',
    labelNames: ['version', 'node'],
    registers: [registry],
  });
  build.set({ version, node: process.version }, 1);
  collectDefaultMetrics({ register: registry });
  for (const { name } of registry.getMetricsAsArray()) {
    if (name !== 'tunnel_build_info' && !PROCESS_METRICS.has(name)) registry.removeSingleMetric(name);
  }
  return registry;
}

/** A value for the label `code`. Only codes from the error registry, so that peers cannot create time series. */
export function codeLabel(code: string): string {
  return Object.hasOwn(ERRORS, code) ? code : 'unknown';
}
