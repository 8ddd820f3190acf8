export { startPilot, type Pilot, type PilotOptions } from './pipeline.ts';
export { DEFAULT_DEBOUNCE, type DebounceSettings } from './push/debounce.ts';
export { DEFAULT_REGISTRATION, type RegistrationSettings } from './ingest/registration.ts';
export { pilotService } from './service.ts';
export { loadMeshConfig, watchMeshConfig } from '@flotilla/translate';
