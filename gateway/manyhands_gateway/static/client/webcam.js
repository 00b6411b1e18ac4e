// <video wf-webcam="handler">: shows the camera, and takes a picture at a click, or again and again. Its data-mh-camera is
// `on`, or `none`, for the page's style. A part.

import { fireFrom } from "./context.js";
import { fail, warn } from "./diagnostics.js";
import { payloadOf } from "./files.js";
import { every } from "./ticks.js";

/** @param {HTMLVideoElement} video @param {import("./later.js").About} about */
export function webcam(video, { client, stops }) {
  /** @type {MediaStream | null} */
  let stream = null;
  let stopped = false;

  async function take() {
    if (!stream || !video.videoWidth) return;
    const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
    canvas.getContext("2d")?.drawImage(video, 0, 0);
    try {
      const payload = await payloadOf(client, await canvas.convertToBlob());
      if (!stopped) await fireFrom(client, video, "webcam", payload);
    } catch (error) {
      fail("bad_payload", String(error), video);
    }
  }

  async function show() {
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: true });
      if (stopped) return leave();
      for (const track of stream.getTracks()) track.onended = () => lack("the camera is gone");
      Object.assign(video, { srcObject: stream, muted: true, playsInline: true });
      await video.play();
      video.dataset.mhCamera = "on";
    } catch (error) {
      if (!stopped) lack(`${error}; it needs https and the user's leave`);
    }
  }

  /** @param {string} why */
  function lack(why) {
    leave();
    stream = null;
    warn("no_camera", video, `gets no picture: ${why}`);
    video.dataset.mhCamera = "none";
  }

  function leave() {
    stream?.getTracks().forEach((track) => track.stop());
  }

  const periodic = video.hasAttribute("wf-interval");
  const stop = periodic ? every(video, take) : () => video.removeEventListener("click", take);
  if (!periodic) video.addEventListener("click", take);
  stops.push(() => {
    stopped = true;
    stop();
    leave();
  });
  show();
}
