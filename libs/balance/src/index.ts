export { EMPTY_PICKER, haveEqualWeights, type Balanced, type Picker, type PickerFactory } from './picker.ts';
export { EdfQueue } from './edf-queue.ts';
export { roundRobin } from './round-robin.ts';
export { randomChoice } from './random.ts';
export { leastRequest, type LeastRequestSettings } from './least-request.ts';
export { weightedGroups, type WeightedGroup } from './weighted-groups.ts';
