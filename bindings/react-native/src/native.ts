/**
 * The generated module: the only file that imports it.
 *
 * Everything else asks for `./native`, and `react-native-finalmile/raw` is this file, so whoever replaces
 * this one module (the mocks of `react-native-finalmile/jest` do) has replaced all that is native.
 * `generated/index` installs the library on import: in Expo Go, which has no place for it, the import throws.
 *
 * # Promises
 *
 * - **J37** An app that is loaded again (a reload, an update over the air) is not disturbed by calls of the one
 *   before: whatever that one lent is left alone from now on, and its calls are not answered.
 */
import { pickUp } from './generated/index';
import { hoist } from './hoist';

export * from './generated/index';

hoist();
// Both number what they lend from one on, and a late answer to the earlier one would reach the later one.
pickUp();
