/**
 * A picture by its content id: its placeholder at once, the picture when it is there.
 *
 * # Promises
 *
 * - **J33** Something is shown at all times: the placeholder until the picture is drawn, and again when it cannot
 *   be; a picture that the cache has is in the first render.
 * - **J34** A picture whose file went (the system empties caches) is fetched once more before it is an error.
 * - **J35** With a label it is one image to a screen reader, said to be busy until it is there; without, nothing.
 */
import { useEffect, useRef, useState, type ReactElement, type ReactNode } from 'react';
import { Image, StyleSheet, View, type ImageProps, type StyleProp, type ViewStyle } from 'react-native';

import type { ContentKind } from '../cache';
import { FinalmileError } from '../errors';
import { placeholderUri } from '../painted';
import { useIpfsImage } from './useIpfsImage';

/** What the component is given. */
export interface IpfsImageProps {
  /** The content. */
  cid: string | null | undefined;
  /** Shown instead when that cannot be had, or where there is none. */
  fallbackCid?: string | null;
  /** Its placeholder: bytes, or base64 as a database keeps them. */
  thumbhash?: Uint8Array | string | null;
  /** What for. Default: `thumbnail`. */
  kind?: ContentKind;
  /** Of the frame; give it a size. */
  style?: StyleProp<ViewStyle>;
  /** Default: `cover`. */
  resizeMode?: ImageProps['resizeMode'];
  /** What is in the picture, for who cannot see it. Without it, it is decoration. */
  accessibilityLabel?: string;
  /** Shown above the placeholder when there is no picture to be had. */
  fallback?: ReactNode;
  /** The picture is drawn. */
  onLoad?: () => void;
  /** There is none to be had. */
  onError?: (error: FinalmileError) => void;
  testID?: string;
}

/** Shows a content as a picture. */
export function IpfsImage(props: IpfsImageProps): ReactElement {
  const { cid, fallbackCid, kind = 'thumbnail', resizeMode = 'cover', accessibilityLabel } = props;
  const { source, status, error, retry } = useIpfsImage(cid, { fallbackCid, kind });
  const shownUri = source?.uri ?? null;
  const [drawn, setDrawn] = useState<string | null>(null);
  const [broken, setBroken] = useState<string | null>(null);
  const retried = useRef<string | null>(null);
  const undrawable = shownUri !== null && broken === shownUri;
  const failure = undrawable ? unreadable : status === 'error' ? error : null;

  const { onError } = props;
  const tell = useRef(onError);
  useEffect(() => {
    tell.current = onError;
  });
  useEffect(() => {
    if (failure !== null) {
      tell.current?.(failure);
    }
  }, [failure]);

  const placeholder = drawn !== null && drawn === shownUri ? null : placeholderUri(props.thumbhash);
  const labelled = accessibilityLabel !== undefined && accessibilityLabel !== '';
  const failed = (): void => {
    if (shownUri !== null && retried.current !== shownUri) {
      retried.current = shownUri;
      retry();
    } else {
      setBroken(shownUri);
    }
  };
  const drew = (): void => {
    retried.current = null;
    setDrawn(shownUri);
    props.onLoad?.();
  };
  return (
    <View
      style={[styles.frame, props.style]}
      testID={props.testID}
      accessible={labelled}
      {...(labelled && {
        accessibilityRole: 'image',
        accessibilityLabel,
        accessibilityState: { busy: status === 'loading' },
      })}
    >
      {placeholder !== null && <Layer uri={placeholder} resizeMode={resizeMode} />}
      {source !== null && !undrawable && (
        <Layer key={source.uri} uri={source.uri} resizeMode={resizeMode} onLoad={drew} onError={failed} />
      )}
      {failure !== null && props.fallback}
    </View>
  );
}

const unreadable = new FinalmileError('PICTURE_UNREADABLE', 'The picture cannot be shown');

/** A picture that fills the frame; the frame speaks for it. */
function Layer({ uri, ...props }: { uri: string } & Omit<ImageProps, 'source' | 'style'>): ReactElement {
  return (
    <Image
      {...props}
      source={{ uri }}
      style={StyleSheet.absoluteFill}
      accessible={false}
      importantForAccessibility="no-hide-descendants"
      fadeDuration={0}
    />
  );
}

const styles = StyleSheet.create({ frame: { overflow: 'hidden' } });
