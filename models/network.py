"""What the rest of the code may ask of any network, whatever its method."""

from torch import nn


class Network(nn.Module):
    """Base of all networks in `models.MODELS`.

    A network that can be trained by itself names its fields (`needs`) and outputs (`gives`) and computes `forward(batch)`,
    which returns the outputs by name. Networks with an empty `gives` (judges, discriminators) are called with tensors.

    Attributes:
        role: what messages call it, with its article.
        sign: names of tensors by which a published file of this network is recognised; () where none is published.
        published: the section `model` of the published network, without its name.
        published_data: what its code does to faces and sound, as the section `data` of a config says it.
        bundle: where it is published as several state dicts in one file: their names -> the parts of the network.
        files: where it is published as a file for each part: names of the parts in the names of the files -> parts.
        unused: beginnings of names in a published file of tensors that no output depends on and that the network does not have.
        needs: fields of a batch (`datasets.fields`) that `forward` reads.
        gives: names of the outputs of `forward`.
        colours: names of the tensors whose channels are colours -> the axis that holds them, in groups of three.
        optional: names of modules that a checkpoint may lack as a whole where training begins from all of it (`train.init`
            without parts), such as those of a later stage. They begin with new weights then, and the run says which. A name
            may lead into a module.
        begins: parts that do not learn here, so that a training must begin from a checkpoint that has them (`train.init`).
        judging: name of the module with which the network judges others in reports; None: it judges none, or as a whole.
        stages: where a network grows by stages (an option `stage`): part -> the first stage that has it; {} elsewhere.
    """

    role = "a network"
    sign: tuple[str, ...] = ()
    published: dict = {}
    published_data: dict = {}
    bundle: dict[str, str] = {}
    files: dict[str, str] = {}
    unused: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    begins: tuple[str, ...] = ()
    judging: str | None = None
    stages: dict[str, str] = {}
    colours: dict[str, int] = {}

    @classmethod
    def published_section(cls, state):
        """Section `model` of a published file, without its name, from its tensors under the network's own names."""
        return dict(cls.published)

    @classmethod
    def adopted(cls, state):
        """Tensors of published files, under the network's own names -> the same in its own shapes."""
        return state

    def parts(self):
        """dict of part name -> tuple of names of modules: the parts that a config may start, freeze or give their own rate.

        A name may lead into a module, as "encoder.trunk" does.
        """
        return {}

    def pictures(self, outputs, batch):
        """What a validation shows: dict of name -> (B, 3, S, S) faces of one moment in [0, 1]; {} where nothing is drawn.

        The moment is `pictured`.

        Here for networks whose output `face` (B, T, 3, S, S) is drawn of the whole window: the middle frame.
        """
        if "face" not in outputs:
            return {}
        middle = self.pictured(outputs)

        def shown(*names):
            faces = next((batch[name] for name in names if name in batch), None)
            return faces if faces is None or faces.ndim == 4 else faces[:, middle]

        rows = {"input": shown("masked_face", "warped_face"), "reference": shown("reference_face", "identity_face"),
                "generated": outputs["face"][:, middle], "real": shown("face")}  # fmt: skip
        return {name: faces for name, faces in rows.items() if faces is not None}

    def pictured(self, outputs):
        """Which of the T frames of a window `pictures` shows, int; the middle one."""
        return outputs["face"].shape[1] // 2

    def field_options(self):
        """dict of field name -> {option: value}, for fields that come in several forms."""
        return {}

    def classes(self):
        """dict of "words" or "people" -> (number of classes, names of the parts that tell them apart); {} where it has none.

        Which word or person a class stands for is decided by the corpus of the first run, and stored in its checkpoints.
        """
        return {}

    def with_colours_turned(self, state):
        """State dict of a network for BGR pictures -> of the same network for RGB ones, or the other way round."""
        turned = dict(state)
        for name, axis in self.colours.items():
            if name in state:
                tensor = state[name]
                groups = tensor.unflatten(axis, (-1, 3)).flip(axis + 1)
                turned[name] = groups.flatten(axis, axis + 1).contiguous()
        return turned

    def configure(self, data):
        """Take what the section `data` of a config or of a checkpoint decides about the network; it may lack any key."""

    @property
    def sync_frames(self):
        """Frames that one sound of `heard_mel` belongs to; None: the whole window."""
        return None
