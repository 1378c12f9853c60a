/** What the guide's snippets take for granted of the app around them. */
declare module '@/lib/supabase' {
  interface Query extends PromiseLike<{ data: any }> {
    insert(row: object): Query;
    select(columns?: string): Query;
    single(): Query;
    order(column: string, options: { ascending: boolean }): Query;
    range(from: number, to: number): Query;
  }
  export const supabase: { from(table: string): Query };
}

declare module 'expo-av' {
  import type { ComponentType } from 'react';
  export const Video: ComponentType<{ source: { uri: string }; shouldPlay: boolean }>;
}

declare module 'expo-file-system/legacy' {
  export const cacheDirectory: string | null;
  export function getInfoAsync(uri: string): Promise<{ exists: boolean }>;
  export function downloadAsync(url: string, uri: string): Promise<{ status: number }>;
}

interface MediaShare {
  thumbnail_cid: string | null;
}

declare const PINATA_GATEWAY: string;
declare const fileSize: number;
declare const user_id: string;
declare const ipfs_cid: string;
declare const video_poster_cid: string;
declare const playing: boolean;
declare function setPlaying(playing: boolean): void;
declare function loadMore(): void;
declare function beginUpload(size: number): Promise<{ upload_id: string; credits_to_charge: number }>;
declare function finalizeUpload(id: string, cids: object): Promise<void>;
declare function uploadMediaInternal(uri: string): Promise<void>;
