"""Who is in the collection of real clips, who is held out whole, and on whom choices are made; named before any training.

A person's name begins with `c_` where the clips may be used for research alone (class C or D of the collection's manifest);
GRID's speakers keep their names, LatentSync's actors are `latentsync1` and `latentsync2` (class A). People were told apart by
eye, on a sheet of one frame a clip; clips that show one person twice bear one name.
"""

# People never seen, on whom results are reported.
HELD_OUT = {
    "grid": ("s22", "s26", "s32"),
    "mead": ("c_mead_M003", "c_mead_M026", "c_mead_W015", "c_mead_W023", "c_mead_W036"),
    "other": ("c_avsync", "c_dhlive_woman", "c_face1", "c_face2", "c_face3", "c_radio34"),
    "clips2": ("c_mead_M030", "c_dhlive_man", "c_highsync45", "c_may", "c_kim", "c_talkact6", "c_talkact8", "c_resyncer10",
               "c_infinitetalk", "c_speakervid5"),
}  # fmt: skip

# People never seen, on whom settings and steps are chosen: of class A, and others.
VALIDATION = ("s25", "s31", "s34", "c_hdtf11", "c_resyncer12", "c_radio2", "c_talkact5", "c_highsync35", "c_christie",
              "c_lrs2_deepavsr19", "c_lrs2_deepavsr22", "c_lrs3_JSSc7hYKstI", "c_lrs3_av2av3")  # fmt: skip

# Path below the collection, without suffix -> person. A path that ends in / stands for a folder, and in * for what it begins.
PEOPLE = {
    "clips/hdtf/RD_Radio2_000": "c_radio2",
    "clips/hdtf/RD_Radio34_000": "c_radio34",
    "clips/hdtf/WDA_BobMenendez_000": "c_menendez",
    "clips2/hdtf_more/av2av_12": "c_menendez",
    "clips/hdtf/WDA_EdMarkey0_000": "c_markey",
    "clips2/hdtf_more/resyncer_set_1_driving": "c_markey",
    "clips2/hdtf_more/av2av_11": "c_hdtf11",
    "clips2/hdtf_more/infinitetalk_ref_video": "c_infinitetalk",
    "clips2/hdtf_more/resyncer_set_10_driving": "c_resyncer10",
    "clips2/hdtf_more/resyncer_set_12_driving": "c_resyncer12",
    "clips2/hdtf_more/resyncer_set_13_driving": "c_mccarthy",
    "clips2/hdtf_more/resyncer_set_2_driving": "c_mccarthy",
    "clips2/hdtf_more/resyncer_set_4_driving": "c_resyncer4",
    "clips/latentsync/demo1_video": "latentsync1",
    "clips/latentsync/demo2_video": "latentsync2",
    "clips/long/dfrf_cnn2_25fps": "c_cnn",
    "clips/long/edtalk_pose_source2_60s": "c_edtalk",
    "clips/long/mimictalk_German_20s": "c_german",
    "clips/long/mimictalk_Trump_10s": "c_trump",
    "clips/lrs3/spectre_0Fi83BHQsMA_00002": "c_lrs3_0Fi83BHQsMA",
    "clips/mead/M003_level_1_happy_024": "c_mead_M003",
    "clips/mead/M026_level_3_disgusted_018": "c_mead_M026",
    "clips/mead/W015_level_1_neutral_030": "c_mead_W015",
    "clips/mead/W023_level_2_surprised_010": "c_mead_W023",
    "clips/mead/W036_level_3_happy_007": "c_mead_W036",
    "clips2/mead_more/M030_sad_3_001": "c_mead_M030",
    "clips/other/avsync_video1": "c_avsync",
    "clips/other/dhlive_demo": "c_dhlive_woman",
    "clips/other/face1": "c_face1",
    "clips/other/face2": "c_face2",
    "clips/other/face3": "c_face3",
    "clips/voxceleb2/Audio_Source_00015": "c_christie",
    "clips/voxceleb2/Audio_Source_00104": "c_vox104",
    "clips/voxceleb2/Audio_Source_681100216": "c_vox216",
    "clips/voxceleb2/Pose_Source_00473": "c_vox473",
    "clips/voxceleb2/Pose_Source_741400163": "c_vox163",
    "clips/voxceleb2/Pose_Source_796100172": "c_vox172",
    "clips2/chem/": "c_chem",
    "clips2/grid_more/unknown/video/anshsareen_6a59e295": "s_6a59",
    "clips2/grid_more/unknown/video/anshsareen_826b5db2": "s_826b",
    "clips2/grid_more/unknown/video/anshsareen_93ae3d4b": "s_93ae",
    "clips2/grid_more/unknown/video/anshsareen_edff7a1c": "s_edff",
    "clips2/grid_more/unknown/video/anshsareen_b7d7e7a1": "s2",
    "clips2/latenight/talkact_set_4_driving": "c_talkact4",
    "clips2/latenight/talkact_set_5_driving": "c_talkact5",
    "clips2/latenight/talkact_set_6_driving": "c_talkact6",
    "clips2/latenight/talkact_set_8_driving": "c_talkact8",
    "clips2/lipreading_org/are_you_well": "c_lipreading_woman",
    "clips2/lipreading_org/do_you_want_to_split_an_appetizer1": "c_lipreading_man",
    "clips2/lipreading_org/how_would_you_like_your_steak": "c_lipreading_woman2",
    "clips2/lipreading_org/would_you_like_hear_about_the_specials": "c_lipreading_man",
    "clips2/lrs2/deepavsr_00016": "c_lrs2_uoa5535",
    "clips2/lrs2/deepavsr_00019": "c_lrs2_deepavsr19",
    "clips2/lrs2/deepavsr_00022": "c_lrs2_deepavsr22",
    "clips2/lrs2/neuraldubber_4": "c_lrs2_blonde",
    "clips2/lrs2/neuraldubber_5": "c_lrs2_blonde",
    "clips2/lrs2/neuraldubber_6": "c_lrs2_blonde",
    "clips2/lrs2/souvik_check_189000_gt": "c_lrs2_redhead",
    "clips2/lrs2/souvik_check_515000_gt": "c_lrs2_redhead",
    "clips2/lrs2/souvik_check_170002_gt": "c_lrs2_grey",
    "clips2/lrs2/souvik_check_93000_gt": "c_lrs2_grey",
    "clips2/lrs2/souvik_speaker_emb_00001": "c_lrs2_grey",
    "clips2/lrs2/uoacares_5535415699068794046*": "c_lrs2_uoa5535",
    "clips2/lrs3/aligndit_JSSc7hYKstI_00010": "c_lrs3_JSSc7hYKstI",
    "clips2/lrs3/aligndit_xTkKSJSqUSI*": "c_lrs3_xTkKSJSqUSI",
    "clips2/lrs3/aligndit_wlR1ojoiue0_00004": "c_lrs3_wlR1ojoiue0",
    "clips2/lrs3/l2su_wlR1ojoiue0_00001": "c_lrs3_wlR1ojoiue0",
    "clips2/lrs3/l2su_0gks6ceq4eQ_00006": "c_lrs3_0gks6ceq4eQ",
    "clips2/lrs3/souvik_fs2_av_gt_0gks6ceq4eQ_00005": "c_lrs3_0gks6ceq4eQ",
    "clips2/lrs3/av2av_3": "c_lrs3_av2av3",
    "clips2/other2/dhlive_000001": "c_dhlive_man",
    "clips2/other2/highsync_s35_main": "c_highsync35",
    "clips2/other2/highsync_s45_main": "c_highsync45",
    "clips2/other2/real3d_May_5s": "c_may",
    "clips2/other2/wav2lipgfpgan_kim_7s": "c_kim",
    "clips2/speakervid5m/range_full_body_5": "c_speakervid5",
    "clips2/speakervid5m/range_half_body_2": "c_speakervid2",
    "clips2/speakervid5m/range_half_body_3": "c_speakervid3",
    "clips2/speakervid5m/range_head_1": "c_speakervid1",
}

# Several faces, no speech of the face that is seen, or a face too small or turned away.
LEFT_OUT = ("clips/several_faces/", "clips/other/liveportrait_d10", "clips/lrs3/sparsesync_uncropped256_00018",
            "clips/lrs3/spectre_00002")  # fmt: skip

# Clips of further folders: every clip is a person of its own, as far as one can tell.
SINGLE = {"clips2/lrs2/": "c_lrs2_", "clips2/lrs3/": "c_lrs3_", "clips2/lrw/": "c_lrw_"}

LRW_AR = "clips2/lrw_ar/"  # words of 1.2 s whose sound trails; a rough cluster of faces stands for the person


def held_out():
    """Names of all people on whom results are reported."""
    return tuple(name for names in HELD_OUT.values() for name in names)


def chosen(who):
    """{group: names} of what `--who` says: val, held_out, or names of people."""
    return {"val": {"val": VALIDATION}, "held_out": HELD_OUT}.get(who[0], {"chosen": who})
