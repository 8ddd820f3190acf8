import type { Tables } from './table.ts';

const NO_EXTENSIONS = 'there are no extensions of this kind';
const BY_THE_RUNTIME = 'threads and memory are left to the JavaScript engine';

/** The file that a proxy starts from: everything but the listeners, clusters and secrets in it. */
export const BOOTSTRAP: Tables = {
  'envoy.config.bootstrap.v3.Bootstrap': {
    honoured: `node static_resources dynamic_resources admin stats_config layered_runtime overload_manager
      typed_dns_resolver_config cluster_manager`,
    hints: {
      'RE2 is the only engine': 'default_regex_engine',
      'statistics are read when somebody asks for them': 'stats_flush_interval stats_flush_on_admin',
      'there are no threads that could block each other': 'watchdog watchdogs',
      'all headers are found equally fast': 'inline_headers',
      'statistics are made when a resource comes, and are cheap until they are used': 'deferred_stat_options',
      "lines of the proxy's own log are not Envoy's, and have one form": 'application_log_config',
    },
    refused: {
      'node parameters are not sent with names of resources': 'node_context_params',
      'the control plane asks for no health of endpoints': 'hds_config',
      'no flags are read from files': 'flags_path',
      'statistics are read from the admin port alone': 'stats_sinks',
      'statistics are kept until the proxy ends': 'stats_eviction_interval',
      'no traces are made': 'tracing perf_tracing_file_path',
      'there is no dispatcher whose time could be measured': 'enable_dispatcher_stats',
      'headers of the proxy begin with x-envoy': 'header_prefix',
      'the version is that of this proxy': 'stats_server_version_override',
      "names are looked up by the system's resolver": 'use_tcp_for_dns_lookups dns_resolution_config',
      [NO_EXTENSIONS]: `bootstrap_extensions fatal_actions default_socket_interface xds_delegate_extension
        xds_config_tracker_extension listener_manager`,
      'configuration comes by dynamic_resources': 'config_sources default_config_source',
      'certificates come by SDS': 'certificate_provider_instances',
      'connections to services are kept as the cluster says': 'grpc_async_client_manager_config',
      [BY_THE_RUNTIME]: 'memory_allocator_manager enable_worker_cpu_affinity',
    },
  },
  'envoy.config.bootstrap.v3.ClusterManager': {
    honoured: 'outlier_detection',
    hints: { 'clusters are cheap until they are used': 'enable_deferred_cluster_creation' },
    refused: {
      'the proxy has no cluster of its own, and nothing goes by zone': 'local_cluster_name',
      'source addresses are those of a cluster': 'upstream_bind_config',
      'no load is reported': 'load_stats_config',
    },
  },
  'envoy.config.bootstrap.v3.ClusterManager.OutlierDetection': {
    refused: { 'ejections are shown as statistics and on the admin page, not logged': 'event_log_path event_service' },
    harmless: { event_log_path: '/dev/null' },
  },
  'envoy.config.bootstrap.v3.Bootstrap.StaticResources': { honoured: 'listeners clusters secrets' },
  'envoy.config.bootstrap.v3.Bootstrap.DynamicResources': {
    honoured: 'lds_config cds_config ads_config',
    refused: { 'resources are named by plain names': 'lds_resources_locator cds_resources_locator' },
  },
  'envoy.config.bootstrap.v3.Admin': {
    honoured: 'address access_log',
    hints: {
      'nothing is profiled into files': 'profile_path',
      'connections to the admin port are never counted': 'ignore_global_conn_limit',
    },
    refused: {
      'requests to the admin port are not logged': 'access_log_path',
      'sockets get no options of their own': 'socket_options',
      'every page is served': 'allow_paths',
    },
    harmless: { access_log_path: '/dev/null' },
  },
  'envoy.config.bootstrap.v3.LayeredRuntime': { honoured: 'layers' },
  'envoy.config.bootstrap.v3.RuntimeLayer': {
    honoured: 'name static_layer admin_layer',
    refused: { 'runtime comes from the bootstrap': 'disk_layer rtds_layer' },
  },
  'envoy.config.bootstrap.v3.RuntimeLayer.AdminLayer': {},
  'envoy.config.overload.v3.OverloadManager': {
    honoured: 'resource_monitors',
    hints: { 'connections are counted as they come and go': 'refresh_interval' },
    refused: {
      'the limit of connections is the only action': 'actions loadshed_points',
      'accounts of memory are not kept': 'buffer_factory_config',
    },
  },
  'envoy.config.overload.v3.ResourceMonitor': { honoured: 'name typed_config' },
  'envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig': {
    honoured: 'max_active_downstream_connections',
  },
  'envoy.config.metrics.v3.StatsConfig': {
    honoured: 'stats_tags stats_matcher histogram_bucket_settings',
    hints: { 'labels are made with the statistic, not read off its name': 'use_all_default_tags' },
    refused: { 'tags cannot be told to replace each other': 'allow_default_tag_overrides' },
  },
  'envoy.config.metrics.v3.StatsMatcher': { honoured: 'reject_all exclusion_list inclusion_list' },
  'envoy.config.metrics.v3.TagSpecifier': {
    honoured: 'tag_name fixed_value',
    hints: { 'labels are made with the statistic, not read off its name': 'regex' },
  },
  'envoy.config.metrics.v3.HistogramBucketSettings': {
    honoured: 'match buckets',
    refused: { 'buckets are given by their bounds': 'bins' },
  },
};
