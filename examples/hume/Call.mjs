// In the browser: a button that begins and ends a call. To be put inside a `<VoiceProvider>`.

import { useVoice } from "@humeai/voice-react";
import { createElement, useEffect } from "react";

import { begin, unlock } from "./call.mjs";

export function Call({ configId }) {
  const { connect, disconnect, status, chatMetadata } = useVoice();
  const chatId = chatMetadata?.chatId;
  useEffect(() => {
    if (chatId) unlock(chatId).catch(disconnect);
  }, [chatId]);
  const isOn = status.value === "connected";
  const onClick = () => (isOn ? disconnect() : begin(connect, configId));
  return createElement("button", { onClick }, isOn ? "Hang up" : "Talk to your coach");
}
