"""A member's trainer with TRL's SFTTrainer: loam peer --trainer 'python sft_trainer.py'"""

from trl import SFTConfig, SFTTrainer

from loam_trainer import Job, serve


def train(job: Job) -> object:
    trainer = SFTTrainer(
        model=job.model(),
        args=SFTConfig(**job.arguments(), dataset_kwargs={"skip_prepare_dataset": True}),
        train_dataset=job.dataset(),
        callbacks=[job.callback()],
        processing_class=job.tokenizer(),
    )
    trainer.train()
    return trainer.model


if __name__ == "__main__":
    serve(train, name="sft-trainer")
