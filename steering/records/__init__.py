"""What is computed, as typed records; JSON at the edge (no torch)."""

from envs.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    {
        "BoundarySummary": "steering.records.boundary",
        "CheckpointId": "steering.records.sweep",
        "CleanReference": "steering.records.sweep",
        "ConditionSummary": "steering.records.sweep",
        "ControlReading": "steering.records.boundary",
        "ControlSummary": "steering.records.boundary",
        "DecisionMoves": "steering.records.sweep",
        "DecisionSquares": "steering.records.sweep",
        "EffectRecord": "steering.records.sweep",
        "LevelsUsed": "steering.records.sweep",
        "PooledProfile": "steering.records.sweep",
        "PositionBin": "steering.records.sweep",
        "Reading": "steering.records.readings",
        "ReceptiveFieldSplit": "steering.records.sweep",
        "References": "steering.records.sweep",
        "SiteFacts": "steering.records.sites",
        "SiteSummary": "steering.records.sweep",
        "SkippedLevel": "steering.records.sweep",
        "SweepSummary": "steering.records.sweep",
        "ThresholdPair": "steering.records.boundary",
        "ThresholdReach": "steering.records.boundary",
        "from_json": "steering.records.codec",
        "from_plain": "steering.records.codec",
        "to_json": "steering.records.codec",
        "to_plain": "steering.records.codec",
    }
)
