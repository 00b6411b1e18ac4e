"""A conversation with a language model whose answers grow word by word, can be stopped, and may fail.

The model is a fake: put your own in the place of `_model`, any async generator of pieces of text. What is worth copying
is around it:

- `answer["text"] += piece` is all it takes to stream: pages are sent what was added, and nothing twice.
- Each question has a key, made by the page. An event that is run again, since its worker has died, finds its own answer
  by it and begins that anew, so that no question stands there twice and no text is doubled.
- Each value has one handler that writes it: `ask` what is answered, `stop` whether it is to stop. So none overwrites
  what the other has written.
- The generator is closed however the answer ends, and with it the request to a real model.
"""

import asyncio
import contextlib
import re

import manyhands as mh

MOST_CHARACTERS = 500
MOST_ANSWERS = 30
MOST_AT_ONCE = 3
SECONDS_A_PIECE = 0.06
#: The time and something random, of one length: pages show keys in this order after a reload.
KEY = re.compile(r"[a-z0-9]{8}-[a-z0-9]{8}")

mh.init_state({"answers": {}})


async def ask(state, payload):
    """Answer a question; others may be asked meanwhile. `payload` is the form's: anyone can send anything."""
    key, question = _read(payload)
    answers = state["answers"]
    if key not in answers:
        if not _make_room(state):
            busy = f"{MOST_AT_ONCE} answers are being given: stop one, or wait. This was not asked: {question}"
            state.add_notification("warning", "One moment", busy)
            return
        answers[key] = {"question": question, "text": "", "note": "", "stop": False, "streaming": True}
    answer = answers[key]
    if not answer["streaming"]:
        return
    # A run before this one may have come so far already, and died with its worker.
    answer["text"] = ""
    note = "Something went wrong."
    try:
        async with contextlib.aclosing(_model(question)) as pieces:
            async for piece in pieces:
                # Handlers of this session that run meanwhile write, and it shows here.
                if answer["stop"]:
                    break
                answer["text"] += piece
        note = "Stopped." if answer["stop"] else ""
    except ConnectionError as problem:
        note = f"The model gave up: {problem}."
    except asyncio.CancelledError:
        note = "Stopped by the page."
        raise
    finally:
        answer["note"], answer["streaming"] = note, False


def stop(state, context):
    """Let the answer whose button was clicked end where it is."""
    key = context.get("itemId", "")
    if key in state["answers"]:
        state["answers"][key]["stop"] = True


def clear(state):
    """Forget all answers. Those that still come are stopped; the next click forgets them, too."""
    for key in list(state["answers"]):
        answer = state["answers"][key]
        if answer["streaming"] and not answer["stop"]:
            answer["stop"] = True
        else:
            del state["answers"][key]


def _read(payload):
    fields = payload if isinstance(payload, dict) else {}
    key, question = fields.get("key"), fields.get("question")
    if not isinstance(key, str) or not KEY.fullmatch(key):
        raise ValueError(f"a question needs a key such as 'mf2k9x01-4fj3k2ab', got {key!r:.40}")
    if not isinstance(question, str) or not 0 < len(question.strip()) <= MOST_CHARACTERS:
        raise ValueError(f"a question has 1 to {MOST_CHARACTERS} characters, got {question!r:.40}")
    return key, question.strip()


def _make_room(state):
    """Make room for one more answer; False where enough are being given."""
    answers = state["answers"]
    streaming = [key for key in answers if answers[key]["streaming"]]
    if len(streaming) >= MOST_AT_ONCE:
        return False
    # Keys begin with the time.
    for key in sorted(set(answers) - set(streaming))[: max(0, len(answers) - MOST_ANSWERS + 1)]:
        del answers[key]
    return True


async def _model(question):
    """Stand for a model: yield an answer piece by piece. Ask it to be slow, or to fail, and it does."""
    text = (
        f"You asked: “{question}” I am a few lines of Python, so I can't know. But I can tell what you see. "
        "Each of my words is added to one value of this session's state. A quarter of a second later at the latest, "
        "what was added travels to every page that shows this session, and nothing of what they have already. Reload "
        "the page, or open it a second time: I go on. Ask me something else meanwhile: I answer both. Stop me: my next "
        "word does not come. And if the machine that runs me is switched off, another one begins my answer anew."
    )
    pause = SECONDS_A_PIECE * (10 if "slow" in question.lower() else 1)
    for count, piece in enumerate(re.findall(r"\S+\s*", text)):
        await asyncio.sleep(pause)
        if count == 12 and "fail" in question.lower():
            raise ConnectionError("it was asked to fail")
        yield piece
